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

local least = tonumber(ARGV[3])
local longest = least
-- The scores are text: a number would be written out with all its digits first.
local added = redis.pcall('ZADD', ARGV[5], '0', ARGV[6])
for at = 8, #ARGV do
  if type(added) == 'table' then break end
  local key = ARGV[at]
  added = redis.pcall('ZADD', key, '0', ARGV[7])
  local left = call('PTTL', key)
  if left < least then
    call('PEXPIRE', key, ARGV[4])
    left = tonumber(ARGV[4])
  end
  if left > longest then longest = left end
end
if type(added) == 'table' then
  -- Something else was written over a key. What entries there are go at the expiry that the token would have had.
  call('UNLINK', ARGV[1])
  return added
end
-- The order of expiry lives as long as any index; see part_index.lua.
if call('PTTL', ARGV[5]) < longest then
  call('PEXPIRE', ARGV[5], string.format('%.0f', longest + longest / 8 + 60000))
end
return 1
