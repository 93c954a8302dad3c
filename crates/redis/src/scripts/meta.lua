-- Makes the store's constants if there are none.
-- KEYS[1]: the store's key. ARGV: layout, id, number of shards.
-- Gives those that there are then, in this order.
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'layout', ARGV[1], 'id', ARGV[2], 'shards', ARGV[3])
end
return redis.call('HMGET', KEYS[1], 'layout', 'id', 'shards')
