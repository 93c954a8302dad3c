-- Puts up a bulk revocation's fence, or takes it away.
-- ARGV[3]: the index. ARGV[4]: the fence. ARGV[5]: the milliseconds that it lives; 0 takes it away.
local key = P .. 'bulk:' .. ARGV[3]
if ARGV[5] == '0' then return call('ZREM', key, ARGV[4]) end
call('ZADD', key, 0, ARGV[4])
return call('PEXPIRE', key, ARGV[5])
