-- Takes a successor away that nobody was given, be it revoked meanwhile.
-- ARGV[3]: its id. ARGV[4]: the id of the token whose place it was to take.
-- Gives 1, or 0 if it is not there or settled.
local key, turn = P .. 'token:' .. ARGV[3], P .. 'turn:' .. ARGV[3]
local value = call('GET', key)
if not value or call('GET', turn) ~= ARGV[4] then return 0 end
unlink(expiry_entry(ARGV[3], value), nil)
call('UNLINK', key, turn)
return 1
