-- Revokes a token and stores its successor.
-- ARGV[5]: the old id. ARGV[6]: the new id. ARGV[7]: what is stored for it. ARGV[8]: the milliseconds it
-- lives.
-- Gives 0 no such token; 1 and its place; 2, when it was revoked before, and by which successor; 3 the new
-- id is taken; 4 it has to wait for a bulk revocation.
local old = call('GET', P .. 'token:' .. ARGV[5])
if not old then return { 0 } end
parts(old)
if passed(old, 3) then return { 0 } end
if byte(old, 2) ~= ACTIVE then return { 2, revocation(old) } end
local marks = open_marks(ARGV[7])
if not marks then return { 4 } end
if not store(ARGV[6], ARGV[7], ARGV[8]) then return { 3 } end
note(marks, ARGV[6])
reserve(1)
local is_revoked, problem = pcall(revoke, ARGV[5], old, ARGV[6])
if not is_revoked then
  unlink(expiry_entry(ARGV[6], ARGV[7]), nil)
  call('UNLINK', P .. 'token:' .. ARGV[6])
  error({ err = type(problem) == 'table' and problem.err or problem })
end
return { 1, last_place() }
