// The console's script. Every page works without it; it copies, keeps pages up to date, and heeds keys.

const policy = window.trustedTypes?.createPolicy("watchword", { createHTML: (text) => text });
// Only our own pages, fetched from our own origin, are ever parsed; scripts in them do not run.
const parse = (text) => new DOMParser().parseFromString(policy ? policy.createHTML(text) : text, "text/html");

// -- the status line: one region that stands in every page and is never replaced ------------------

const say = (text) => {
  const line = document.getElementById("status");
  if (!line) return;
  line.textContent = "";
  requestAnimationFrame(() => { line.textContent = text; });
};

// -- copy -----------------------------------------------------------------------------------------

class Copy extends HTMLElement {
  connectedCallback() {
    const button = this.querySelector("[data-copy]");
    const field = this.querySelector("input, textarea");
    if (!button || !field) return;
    button.hidden = false;
    field.addEventListener("focus", () => field.select());
    const copy = async () => {
      const name = this.querySelector("label")?.textContent ?? "Value";
      try {
        await navigator.clipboard.writeText(field.value);
        say(`${name} is copied.`);
        this.dispatchEvent(new CustomEvent("ww-copied", { bubbles: true }));
      } catch {
        field.focus();
        field.select();
        say(`${name} could not be copied by the browser. It is selected: press Ctrl+C or ⌘C.`);
      }
    };
    button.addEventListener("click", copy);
    if ("click" in this.dataset) field.addEventListener("click", copy);
  }
}

// A value is shown once: leaving asks once, unless it was copied, downloaded or ticked off.
class Once extends HTMLElement {
  connectedCallback() {
    let kept = false;
    const guard = (event) => { if (!kept) { event.preventDefault(); event.returnValue = ""; } };
    const keep = () => {
      kept = true;
      removeEventListener("beforeunload", guard);
      for (const one of this.querySelectorAll("[data-before-copy], [data-after-copy]")) one.hidden = "beforeCopy" in one.dataset;
    };
    addEventListener("beforeunload", guard);
    this.addEventListener("ww-copied", keep);
    this.addEventListener("copy", keep);
    for (const one of this.querySelectorAll("[data-kept]")) one.addEventListener("click", keep);
    for (const button of this.querySelectorAll("[data-download]")) {
      button.hidden = false;
      button.addEventListener("click", () => {
        const value = this.querySelector("[data-secret]").value;
        const url = URL.createObjectURL(new Blob([value + "\n"], { type: "application/octet-stream" }));
        const link = document.createElement("a");
        link.href = url;
        link.download = button.dataset.download;
        link.click();
        URL.revokeObjectURL(url);
        keep();
        say("The value is downloaded.");
      });
    }
  }
}

// -- parts that stay up to date -------------------------------------------------------------------

const touched = new Set();
let waiting = null;

const refresh = async () => {
  waiting = null;
  const parts = [...document.querySelectorAll("ww-live")].filter((part) => part.wants(touched));
  touched.clear();
  if (!parts.length) return;
  const answer = await fetch(location.href, { headers: { accept: "text/html" } }).catch(() => null);
  if (!answer?.ok || answer.redirected) return;
  const page = parse(await answer.text());
  for (const part of parts) part.take(page.getElementById(part.id));
};

class Live extends HTMLElement {
  wants(kinds) {
    if (kinds.has("*")) return true;
    return (this.dataset.kinds ?? "").split(" ").some((kind) => kinds.has(kind));
  }

  // What is being typed, opened or marked stays; only what differs is replaced.
  take(fresh) {
    if (!fresh || fresh.innerHTML === this.dataset.last) return;
    const busy = this.contains(document.activeElement) && document.activeElement.matches("input, textarea, select");
    if (busy || this.querySelector("dialog[open], details[open]")) return;
    this.dataset.last = fresh.innerHTML;
    const focused = this.contains(document.activeElement) ? document.activeElement : null;
    const key = focused?.id || focused?.getAttribute("href");
    this.replaceChildren(...[...fresh.childNodes].map((node) => document.adoptNode(node)));
    if (key) {
      const again = this.querySelector(`[id="${CSS.escape(key)}"], [href="${CSS.escape(key)}"]`);
      (again ?? document.getElementById("main")).focus({ preventScroll: true });
    }
  }
}

const listen = () => {
  const source = document.body.dataset.events;
  if (!source || !document.querySelector("ww-live")) return;
  const stream = new EventSource(source);
  stream.addEventListener("message", (event) => {
    for (const kind of event.data.split(" ")) touched.add(kind);
    waiting ??= setTimeout(refresh, 200);
  });
  stream.addEventListener("ended", () => stream.close());
  addEventListener("pagehide", () => stream.close());
};

// -- a page's part in a dialog: the link beside it goes to the whole page, which works as well -----

class PageDialog extends HTMLElement {
  connectedCallback() {
    const link = this.querySelector("a");
    link?.addEventListener("click", async (event) => {
      if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      const answer = await fetch(link.href, { headers: { accept: "text/html" } }).catch(() => null);
      const part = answer?.ok && !answer.redirected ? parse(await answer.text()).getElementById("dialog") : null;
      if (!part) { location.assign(link.href); return; }
      const dialog = document.createElement("dialog");
      dialog.setAttribute("aria-labelledby", "dialog-title");
      dialog.append(document.adoptNode(part));
      for (const one of dialog.querySelectorAll("[data-close]")) {
        one.addEventListener("click", (click) => { click.preventDefault(); dialog.close(); });
      }
      dialog.addEventListener("close", () => { dialog.remove(); link.focus(); });
      this.append(dialog);
      dialog.showModal();
    });
  }
}

// A switch that stands for all of the choices below it: they can be made only while it is off.
class Either extends HTMLElement {
  connectedCallback() {
    const all = this.querySelector("[role=switch]");
    const set = this.querySelector("fieldset");
    if (!all || !set || all.disabled) return;
    const heed = () => { set.disabled = all.checked; };
    all.addEventListener("change", heed);
    heed();
  }
}

// -- theme ----------------------------------------------------------------------------------------

class Theme extends HTMLElement {
  connectedCallback() {
    this.hidden = false;
    this.querySelector("button").addEventListener("click", () => {
      const root = document.documentElement;
      const dark = root.dataset.theme === "dark"
        || (root.dataset.theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
      root.dataset.theme = dark ? "light" : "dark";
      try { localStorage.setItem("watchword-theme", root.dataset.theme); } catch { /* not kept */ }
      say(dark ? "Light theme." : "Dark theme.");
    });
  }
}

// -- keys: none while typing, none with a modifier, all of them can be switched off (WCAG 2.1.4) ---

const keysOff = () => { try { return localStorage.getItem("watchword-keys") === "off"; } catch { return false; } };

const rows = () => [...document.querySelectorAll("main tbody tr a:first-of-type, main .cards a")]
  .filter((link, at, all) => all.findIndex((one) => one.closest("tr, li") === link.closest("tr, li")) === at);

const step = (by) => {
  const links = rows();
  if (!links.length) return;
  const at = links.indexOf(document.activeElement);
  links[at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(Math.max(at + by, 0), links.length - 1)].focus();
};

class Keys extends HTMLElement {
  connectedCallback() {
    addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (event.target.matches?.("input, textarea, select, [contenteditable]") || keysOff()) return;
      const done = this.heed(event.key);
      if (done) event.preventDefault();
    });
  }

  heed(key) {
    if (key === "j" || key === "k") return step(key === "j" ? 1 : -1), true;
    if (key === "/") return this.press('[data-key="/"]');
    if (key === "n") return this.press('[data-key="n"]');
    if (key === "?") return this.help(), true;
    return false;
  }

  press(selector) {
    const found = document.querySelector(selector);
    if (!found) return false;
    if (found.matches("input")) found.focus();
    else found.click();
    return true;
  }

  help() {
    let dialog = document.getElementById("keys");
    if (!dialog) {
      dialog = document.createElement("dialog");
      dialog.id = "keys";
      dialog.setAttribute("aria-labelledby", "keys-title");
      const title = Object.assign(document.createElement("h2"), { id: "keys-title", textContent: "Keys" });
      const list = document.createElement("dl");
      list.className = "facts";
      for (const [key, what] of [["/", "Search"], ["n", "New"], ["j, k", "Next and former row"], ["?", "This list"]]) {
        list.append(
          Object.assign(document.createElement("dt"), { textContent: key }),
          Object.assign(document.createElement("dd"), { textContent: what }),
        );
      }
      const off = Object.assign(document.createElement("button"), { type: "button", className: "button" });
      off.textContent = "Switch keys off";
      off.addEventListener("click", () => {
        try { localStorage.setItem("watchword-keys", "off"); } catch { /* not kept */ }
        dialog.close();
        say("Keys are switched off in this browser. Delete this site's data to switch them on again.");
      });
      const close = Object.assign(document.createElement("button"), { type: "button", className: "button" });
      close.textContent = "Close";
      close.addEventListener("click", () => dialog.close());
      dialog.append(title, list, off, close);
      document.body.append(dialog);
    }
    const before = document.activeElement;
    dialog.addEventListener("close", () => before?.focus(), { once: true });
    dialog.showModal();
  }
}

// -- what a one-time link carries behind "#" goes into its form and out of the address -------------

class Fragment extends HTMLElement {
  connectedCallback() {
    const value = location.hash.slice(1);
    if (!value) return;
    const field = this.querySelector("input");
    field.value = value;
    history.replaceState(null, "", location.pathname + location.search);
    this.closest("form").classList.add("has-link");
  }
}

// -- what the choices of a form mean, in the server's words ----------------------------------------

class Summary extends HTMLElement {
  connectedCallback() {
    const form = this.closest("form");
    if (!form) return;
    let later = null;
    for (const kind of ["input", "change"]) {
      form.addEventListener(kind, () => { clearTimeout(later); later = setTimeout(() => this.ask(form), 250); });
    }
  }

  // The form's page says it, opened with what is filled in; tokens of the form itself stay here.
  async ask(form) {
    const asked = new URLSearchParams(new FormData(form));
    for (const name of ["csrf", "once"]) asked.delete(name);
    this.asked = asked.toString();
    const answer = await fetch(`${this.dataset.at}?${asked}`, { headers: { accept: "text/html" } }).catch(() => null);
    if (!answer?.ok || answer.redirected || this.asked !== asked.toString()) return;
    const part = this.firstElementChild;
    const fresh = parse(await answer.text()).getElementById(part.id);
    if (fresh && fresh.innerHTML !== part.innerHTML) {
      part.replaceChildren(...[...fresh.childNodes].map((node) => document.adoptNode(node)));
    }
  }
}

// -- passkeys: the browser is asked, and its answer goes into the form ------------------------------

const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const text64 = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
  .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

// What the server asks, in the form that the browser takes, and back (Web Authentication Level 3 §5.1.8).
const opened = (asked) => {
  const listed = (list) => (list ?? []).map((one) => ({ ...one, id: bytes(one.id) }));
  const made = { ...asked, challenge: bytes(asked.challenge) };
  if (asked.user) made.user = { ...asked.user, id: bytes(asked.user.id) };
  if (asked.excludeCredentials) made.excludeCredentials = listed(asked.excludeCredentials);
  if (asked.allowCredentials) made.allowCredentials = listed(asked.allowCredentials);
  return made;
};

const closed = (credential) => {
  const { response } = credential;
  const made = { clientDataJSON: text64(response.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (response[name]) made[name] = text64(response[name]);
  }
  if (response.getTransports) made.transports = response.getTransports();
  return JSON.stringify({ id: credential.id, rawId: text64(credential.rawId), type: credential.type, response: made });
};

class Passkey extends HTMLElement {
  connectedCallback() {
    if (!window.PublicKeyCredential) return;
    this.hidden = false;
    const form = this.querySelector("form");
    form.addEventListener("submit", (event) => {
      if (form.elements.passkey_answer.value) return;
      event.preventDefault();
      this.ask(form).catch((error) => this.fail(error));
    });
  }

  async ask(form) {
    const answer = await fetch(this.dataset.from, { headers: { accept: "application/json" } });
    if (!answer.ok || answer.redirected) throw new Error("no challenge");
    const { options, ticket } = await answer.json();
    const asked = { publicKey: opened(options) };
    const made = await (this.dataset.make ? navigator.credentials.create(asked) : navigator.credentials.get(asked));
    form.elements.passkey_ticket.value = ticket;
    form.elements.passkey_answer.value = closed(made);
    form.submit();
  }

  fail(error) {
    if (error.name === "InvalidStateError") say("This device holds a passkey of yours already.");
    else if (error.name === "NotAllowedError") say("Nothing was done: the browser was stopped, or it took too long.");
    else say("The passkey could not be used. Open the page again and try once more.");
  }
}

// -- filter a long list of choices ----------------------------------------------------------------

class Filter extends HTMLElement {
  connectedCallback() {
    const field = this.querySelector("input[type=search]");
    if (!field) return;
    field.closest(".field").hidden = false;
    field.addEventListener("input", () => {
      const wanted = field.value.trim().toLowerCase();
      let shown = 0;
      for (const one of this.querySelectorAll(".choice, [data-row]")) {
        one.hidden = wanted !== "" && !one.textContent.toLowerCase().includes(wanted);
        if (!one.hidden) shown += 1;
      }
      say(`${shown} shown.`);
    });
  }
}

// -- the form of an API access token: presets tick boxes at once, and a sentence says what is made -----

const listed = (words) => (words.length > 1 ? `${words.slice(0, -1).join(", ")} and ${words.at(-1)}` : words[0]);

class Scopes extends HTMLElement {
  connectedCallback() {
    this.form = this.querySelector("form");
    this.boxes = [...this.querySelectorAll("[data-verb]")];
    for (const button of this.querySelectorAll("[name=preset]")) {
      button.addEventListener("click", (event) => {
        event.preventDefault();
        this.tick(button.value);
        say(`${button.textContent.trim()}: ${this.boxes.filter((box) => box.checked).length} scopes are chosen.`);
      });
    }
    this.form.addEventListener("input", () => this.tell());
    this.tell();
  }

  tick(preset) {
    const verbs = { read_only: ["read"], read_write: ["read", "write"], full: ["read", "write", "delete"] }[preset] ?? [];
    for (const box of this.boxes) box.checked = verbs.includes(box.dataset.verb);
    this.tell();
  }

  // The same sentence as the server's (domain/scopewords.py).
  tell() {
    const says = [];
    for (const [verb, does] of [["read", "read"], ["write", "change"], ["delete", "delete"]]) {
      const every = this.boxes.filter((box) => box.dataset.verb === verb);
      const held = every.filter((box) => box.checked).map((box) => box.dataset.noun);
      if (held.length) says.push(`${does} ${held.length === every.length ? "everything" : listed(held)}`);
    }
    if (this.ticked("graphql")) says.push("use GraphQL for whatever you may do");
    if (this.ticked("introspect_tokens")) says.push("ask what presented tokens may do");
    if (!says.length) says.push("see what it is itself, and nothing else");
    const places = [...this.form.querySelectorAll("[name=organizations]:checked")]
      .map((box) => box.labels[0].textContent.trim());
    const where = places.length ? ` in ${listed(places)}` : "";
    const from = this.form.elements.allowed_ip_addresses.value.trim() ? "some networks alone" : "anywhere";
    const life = this.form.elements.life.value;
    const until = { never: "for ever, until it is revoked", date: "until the day that you choose" }[life] ?? `for ${life} days`;
    this.querySelector("[data-summary]").textContent = `It may ${says.join("; ")}${where}, from ${from}, ${until}.`;
  }

  ticked(scope) {
    return this.form.querySelector(`[name=scopes][value=${scope}]`).checked;
  }
}

// -- a job's log: only what is new is put in, and the end is followed until somebody scrolls away ---

const MOST_LINES = 5000;

class Log extends HTMLElement {
  connectedCallback() {
    this.lines = this.querySelector(".log");
    if (!this.lines) return;
    this.addEventListener("click", (event) => this.mark(event));
    if (this.dataset.source) this.listen();
  }

  // A line's number is its address; opening it need not load the page anew.
  mark(event) {
    const link = event.target.closest("a.line-number");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    history.replaceState(null, "", link.href);
    for (const one of this.querySelectorAll(".marked")) one.classList.remove("marked");
    link.closest(".line").classList.add("marked");
    this.follow(false);
  }

  listen() {
    this.button = this.querySelector("[data-follow]");
    this.button.hidden = false;
    for (const one of this.querySelectorAll("[data-reload]")) one.hidden = true;
    this.button.addEventListener("click", () => this.follow(!this.following));
    addEventListener("wheel", (event) => { if (event.deltaY < 0) this.follow(false); }, { passive: true });
    addEventListener("scroll", () => { if (!this.following && this.atEnd()) this.follow(true); }, { passive: true });
    addEventListener("keydown", (event) => {
      if (["ArrowUp", "PageUp", "Home"].includes(event.key)) this.follow(false);
    });
    this.follow(!location.hash);
    const stream = new EventSource(this.dataset.source);
    stream.addEventListener("lines", (event) => this.take(JSON.parse(event.data)));
    stream.addEventListener("head", (event) => {
      const fresh = parse(JSON.parse(event.data).html);
      document.getElementById("job-head").replaceChildren(...fresh.body.childNodes);
    });
    stream.addEventListener("ended", () => {
      stream.close();
      this.button.hidden = true;
      this.following = false;
      say("The log has ended.");
    });
    addEventListener("pagehide", () => stream.close());
  }

  atEnd() { return innerHeight + scrollY >= document.documentElement.scrollHeight - 40; }

  follow(on) {
    if (!this.button) return;
    this.following = on;
    this.button.setAttribute("aria-pressed", String(on));
    if (on) scrollTo({ top: document.documentElement.scrollHeight });
  }

  take({ first, total, html }) {
    let last;
    // The line that was still being written comes again.
    while ((last = [...this.lines.querySelectorAll(":scope > .line, :scope > .log-section:last-child .line")].at(-1))
      && Number(last.dataset.line) >= first) (last.matches("summary") ? last.parentElement : last).remove();
    const section = this.lines.lastElementChild?.matches("details") ? this.lines.lastElementChild : null;
    for (const node of [...parse(html).body.children]) {
      if (node.matches("details")) {
        this.close(this.lines.lastElementChild);
        this.lines.append(node);
      } else {
        (section ?? this.lines).append(node);
      }
    }
    this.trim();
    const start = this.lines.querySelector(".line")?.dataset.line;
    const text = start ? `Lines ${start} to ${total} of ${total}` : "";
    for (const one of this.querySelectorAll("[data-count]")) one.textContent = text;
    if (this.following) scrollTo({ top: document.documentElement.scrollHeight });
  }

  // What was open only because it was the last closes again, unless somebody opened it.
  close(section) {
    if (section?.matches("details.log-section:not([data-kind='+++'])") && this.following) section.open = false;
  }

  trim() {
    let over = this.lines.querySelectorAll(".line").length - MOST_LINES;
    while (over > 0 && this.lines.firstElementChild) {
      const top = this.lines.firstElementChild;
      const inside = top.matches("details") ? [...top.querySelectorAll("div.line")] : [top];
      if (top.matches("details") && inside.length + 1 > over) {
        for (const line of inside.slice(0, over)) line.remove();
        return;
      }
      over -= inside.length + (top.matches("details") ? 1 : 0);
      top.remove();
    }
  }
}

// -- a command line that waits on loopback ----------------------------------------------------------

// Hands a fresh token to the command line that asked for it; the page's policy lets it ask this port alone.
class CommandLine extends HTMLElement {
  async connectedCallback() {
    const field = this.querySelector("[data-secret]");
    if (!field) return;
    const { port, nonce, organization } = this.dataset;
    let taken = false;
    try {
      const answer = await fetch(`http://localhost:${port}/callback`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ nonce, organization, token: field.value }),
        credentials: "omit",
      });
      taken = answer.ok;
    } catch { /* nobody listens there */ }
    field.remove();
    for (const part of this.querySelectorAll("[data-when]")) part.hidden = part.dataset.when !== (taken ? "taken" : "failed");
    say(taken ? "The command line is signed in." : "The command line did not take the token.");
  }
}

customElements.define("ww-command-line", CommandLine);
customElements.define("ww-copy", Copy);
customElements.define("ww-once", Once);
customElements.define("ww-live", Live);
customElements.define("ww-log", Log);
customElements.define("ww-theme", Theme);
customElements.define("ww-dialog", PageDialog);
customElements.define("ww-either", Either);
customElements.define("ww-keys", Keys);
customElements.define("ww-fragment", Fragment);
customElements.define("ww-filter", Filter);
customElements.define("ww-scopes", Scopes);
customElements.define("ww-summary", Summary);
customElements.define("ww-passkey", Passkey);

document.querySelector("[data-focus]")?.focus();
// Menus close when the focus or a click goes elsewhere, and on Escape, which gives the focus back.
for (const menu of document.querySelectorAll("details.menu")) {
  menu.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && menu.open) { menu.open = false; menu.querySelector("summary").focus(); }
  });
  document.addEventListener("click", (event) => { if (!menu.contains(event.target)) menu.open = false; });
  menu.addEventListener("focusout", (event) => { if (event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false; });
}
listen();

export { parse, say };
