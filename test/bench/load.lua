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
  pushes = {}
  for commit, signature in read("signatures"):gmatch("(%x+) (%x+)\n") do
    pushes[#pushes + 1] = { commit, signature }
  end
  -- The threads and rounds start at different pushes, so that no push is sent twice.
  at = tonumber(args[4]) + number * math.floor(#pushes / 2)
end

function request()
  at = at + 1
  local push = pushes[(at - 1) % #pushes + 1]
  local signature = wrong and string.rep("0", 64) or push[2]
  return wrk.format("POST", path, {
    ["content-type"] = "application/json",
    ["user-agent"] = "GitHub-Hookshot/bench",
    ["x-github-event"] = "push",
    ["x-github-delivery"] = push[1],
    ["x-github-hook-id"] = "1",
    ["x-hub-signature-256"] = "sha256=" .. signature,
  }, head .. push[1] .. tail)
end
