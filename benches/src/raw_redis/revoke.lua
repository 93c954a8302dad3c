-- KEYS[1]: token. ARGV: what the shard's keys begin with, id, and the place in the order of revocation if
-- that is not the shard's own affair.
local value = redis.call('GET', KEYS[1])
if not value or value:byte(1) ~= 97 then return 0 end
local names, at = { 'trust:', 'user:', 'consumer:', 'tenant:', 'domain:' }, 10
for kind = 1, 5 do
  local length = value:byte(at)
  if length > 0 then redis.call('ZREM', ARGV[1] .. names[kind] .. value:sub(at + 1, at + length), ARGV[2]) end
  at = at + 1 + length
end
redis.call('SET', KEYS[1], 'r' .. value:sub(2, at - 1), 'KEEPTTL')
redis.call('ZADD', ARGV[1] .. 'revoked', ARGV[3] or redis.call('INCR', ARGV[1] .. 'place'), ARGV[2])
-- It lives as long as its longest member, as the driver's does.
local left = redis.call('PTTL', KEYS[1])
if redis.call('PTTL', ARGV[1] .. 'revoked') < left then
  redis.call('PEXPIRE', ARGV[1] .. 'revoked', string.format('%.0f', left * 9 / 8 + 60000))
end
return 1
