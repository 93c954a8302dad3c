-- Stores a new token whose id nobody has had: what create.lua does, by the shortest way. The caller names the
-- keys, and there are no functions, since a server makes those anew each time that it runs a script.
-- KEYS[1]: as for all scripts on a shard; see part_base.lua.
-- ARGV[1]: the token's key. ARGV[2]: what is stored. ARGV[3]: the milliseconds it lives. ARGV[4]: those for
-- which an index is kept that would not live so long.
-- ARGV[5], ARGV[6]: the key of the order of expiry, and the token's entry there.
-- ARGV[7]: the token's id. ARGV[8]...: its indexes' keys.
-- Gives 1 stored, 0 something is stored for the id, and create.lua has to look at it.
local call = redis.call
if not call('SET', ARGV[1], ARGV[2], 'NX', 'PX', ARGV[3]) then return 0 end

local least, key = tonumber(ARGV[3]), ARGV[5]
-- The score is text: a number would be written out with all its digits first.
call('ZADD', key, '0', ARGV[6])
if call('PTTL', key) < least then call('PEXPIRE', key, ARGV[4]) end
for at = 8, #ARGV do
  key = ARGV[at]
  call('ZADD', key, '0', ARGV[7])
  if call('PTTL', key) < least then call('PEXPIRE', key, ARGV[4]) end
end
return 1
