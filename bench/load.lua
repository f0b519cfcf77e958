-- Sends one raw request again and again; "@@" in it stands for a value that changes with each request.
-- Arguments: file of the request, file of the values (or "-"), number of the first value, "once" or "cycle".
-- With "once" the load ends when every value was sent, so that no value is sent twice.
local parts, values, at, once = {}, nil, 0, false

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

function init(args)
  local text = read(args[1])
  local mark = text:find("@@", 1, true)
  if mark then
    parts = { text:sub(1, mark - 1), text:sub(mark + 2) }
    values = {}
    for line in io.lines(args[2]) do values[#values + 1] = line end
    at = tonumber(args[3])
    once = args[4] == "once"
  else
    parts = { text }
  end
end

function request()
  if not values then return parts[1] end
  at = at + 1
  if at > #values then
    at = 1
    if once then wrk.thread:stop() end
  end
  return parts[1] .. values[at] .. parts[2]
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    "RESULT %d %d %d %d %d\n", summary.requests, summary.duration,
    e.connect + e.read + e.write + e.timeout + e.status, latency:percentile(50), latency:percentile(99)))
end
