-- KEYS: token, expiry, indexes. ARGV: value, TTL, expiry entry, id.
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[2], '0', ARGV[3])
for at = 3, #KEYS do redis.call('ZADD', KEYS[at], '0', ARGV[4]) end
return 1
