-- A wrk script that sends the signed pushes that bench.ts wrote, each with a different commit.
-- Arguments after `--`: the folder with head, tail and signatures; "wrong" to send invalid signatures; the path; the
-- index of the first push.
local thread_count = 0
function setup(thread)
  thread:set("number", thread_count)
  thread_count = thread_count + 1
end

function init(args)
  local function read(name)
    local file = assert(io.open(args[1] .. "/" .. name, "rb"))
    local text = file:read("*a")
    file:close()
    return text
  end
  head, tail = read("head"), read("tail")
  wrong = args[2] == "wrong"
  path = args[3]
  -- A commit of 40 characters, a space, a signature of 64 and a newline.
  line_length = 106
  signatures = assert(io.open(args[1] .. "/signatures", "rb"))
  local size = signatures:seek("end")
  -- The threads and rounds start at different pushes, so that no push is sent twice.
  local at = tonumber(args[4]) + number * math.floor(size / line_length / 2)
  signatures:seek("set", (at * line_length) % size)
end

local function next_push()
  local line = signatures:read(line_length)
  if line == nil then
    signatures:seek("set", 0)
    line = signatures:read(line_length)
  end
  return line:sub(1, 40), line:sub(42, 105)
end

function request()
  local commit, signature = next_push()
  if wrong then signature = string.rep("0", 64) end
  return wrk.format("POST", path, {
    ["content-type"] = "application/json",
    ["user-agent"] = "GitHub-Hookshot/bench",
    ["x-github-event"] = "push",
    ["x-github-delivery"] = commit,
    ["x-github-hook-id"] = "1",
    ["x-hub-signature-256"] = "sha256=" .. signature,
  }, head .. commit .. tail)
end
