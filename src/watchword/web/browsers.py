"""Browsers by the names that people know, from what they call themselves."""

# In this order: most name others beside themselves.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Firefox", "Firefox"),
    ("Chromium", "Chromium"),
    ("HeadlessChrome", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
_MAX = 60


def browser(user_agent: str) -> str:
    """A browser and its system: `Firefox on Linux`; what is neither is shown as it calls itself."""
    name = next((shown for word, shown in _BROWSERS if f"{word}/" in user_agent), "")
    system = next((shown for word, shown in _SYSTEMS if word in user_agent), "")
    if name and system:
        return f"{name} on {system}"
    return user_agent[:_MAX] or "Unknown"
