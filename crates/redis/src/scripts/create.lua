-- Stores new tokens, one after the other.
-- ARGV[3]: 1 if a token has to wait for bulk revocations that are under way at one of its anchors.
-- ARGV[4]...: of each token its id, what is stored, and the milliseconds it lives.
-- Gives for each: 1 stored, 0 the id is taken, 2 it has to wait.
-- What the server reclaimed has left entries; each sixteenth token sees to some of them.
local function trim()
  for _, entry in ipairs(due(32)) do
    local is_stored, current = holder(entry)
    if is_stored then return end
    unlink(entry, current)
  end
end

local answers = {}
for at = 4, #ARGV, 3 do
  local id, value, ttl = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  if ARGV[3] == '1' and is_fenced(value) then
    answers[#answers + 1] = 2
  else
    answers[#answers + 1] = store(id, value, ttl) and 1 or 0
    if byte(id, 32) % 16 == 0 then trim() end
  end
end
return answers
