-- Revokes a token.
-- ARGV[5]: its id. ARGV[6]: its successor's, or nothing.
-- Gives 0 no such token; 1 and its place; 2, when it was revoked before, and by which successor.
local value = call('GET', P .. 'token:' .. ARGV[5])
if not value then return { 0 } end
parts(value)
if passed(value, 3) then return { 0 } end
if byte(value, 2) ~= ACTIVE then return { 2, revocation(value) } end
revoke(ARGV[5], value, ARGV[6])
return { 1, remember_place() }
