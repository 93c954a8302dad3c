-- Stores new tokens, one after the other.
-- ARGV[3]: of a successor, the id of the token whose place it is to take; else nothing. ARGV[4]: the
-- milliseconds until that is settled.
-- ARGV[5]...: of each token its id, what is stored, and the milliseconds it lives.
-- Gives for each: 1 stored, 0 the id is taken, 2 it has to wait for a bulk revocation.

local function store_successor(id, value, ttl)
  local marks = open_marks(value)
  if not marks then return 2 end
  if not store(id, value, ttl) then return 0 end
  note(marks, id)
  call('SET', P .. 'turn:' .. id, ARGV[3], 'PX', ARGV[4])
  return 1
end

local answers = {}
for at = 5, #ARGV, 3 do
  local id, value, ttl = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  if ARGV[3] ~= '' then
    answers[#answers + 1] = store_successor(id, value, ttl)
  else
    answers[#answers + 1] = store(id, value, ttl) and 1 or 0
  end
end
return answers
