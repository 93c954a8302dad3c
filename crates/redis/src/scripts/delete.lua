-- Revokes tokens: what part_revoke.lua does, by the shortest way. A server makes the functions of a script
-- anew each time that it runs it, so here are none.
-- ARGV[1], ARGV[2]: as for all scripts on a shard; see part_base.lua.
-- ARGV[3]: now, as 8 bytes. ARGV[4]: the least place to give. ARGV[5]: the milliseconds that a token is kept
-- beyond its expiry.
-- ARGV[6]...: of each token its id, and its successor's or nothing.
-- Gives for each: 0 no such token; 1 and its place; 2, when it was revoked before, and by which successor;
-- 3 it cannot be read; 4 the feed cannot be written.
local P, call, byte, sub = ARGV[1], redis.call, string.byte, string.sub
local NAMES = { 'trust:', 'user:', 'consumer:', 'tenant:', 'domain:' }
local NEXT_HI, NEXT_LO = struct.unpack('>I4I4', ARGV[2])
local answers, highest, place, longest = {}, nil, nil, 0
for at = 6, #ARGV, 2 do
  local id, key, answer = ARGV[at], P .. 'token:' .. ARGV[at], { 0 }
  local value, rest, keys = redis.pcall('GET', key), nil, {}
  if value then
    -- What is no text is no token either. Where audit id, audit chain id and what follows them begin; see
    -- part_record.lua.
    if type(value) == 'table' then value = '' end
    local low = byte(value, 28)
    local audit = low and 29 + byte(value, 27) * 256 + low
    local chain = audit and audit + 1 + (byte(value, audit) or #value)
    rest = chain and chain + 1 + (byte(value, chain) or #value)
    local from = 29
    for kind = 1, 5 do
      local length = byte(value, from) or #value
      if length > 0 then keys[#keys + 1] = P .. NAMES[kind] .. sub(value, from + 1, from + length) end
      from = from + 1 + length
    end
    if byte(value, 1) ~= 1 or not rest or rest > #value + 1 or from ~= audit then value, answer = nil, { 3 } end
  end
  if value then
    local hi, lo = struct.unpack('>I4I4', value, 3)
    if hi > NEXT_HI or (hi == NEXT_HI and lo >= NEXT_LO) then
      if byte(value, 2) ~= 0 then
        answer = { 2, sub(value, rest, rest + 7), sub(value, rest + 8) }
      else
        if not highest then
          local noted = call('GET', P .. 'place')
          if not noted then
            local last = redis.pcall('ZREVRANGE', P .. 'revoked', 0, 0, 'WITHSCORES')
            noted = last[2] or 0
          end
          highest = math.max(tonumber(noted), tonumber(ARGV[4]) - 1)
          -- As many places as may be needed, noted before the first is given: so none is given twice, wherever
          -- this script ends.
          call('SET', P .. 'place', string.format('%.0f', highest + (#ARGV - 5) / 2))
        end
        highest = highest + 1
        place = string.format('%.0f', highest)
        -- First what can fail where something else was written over a key.
        if type(redis.pcall('ZADD', P .. 'revoked', place, id)) == 'table' then
          answer = { 4 }
        else
          call('SET', key, '\1\1' .. sub(value, 3, rest - 1) .. ARGV[3] .. ARGV[at + 1], 'KEEPTTL')
          for _, index in ipairs(keys) do redis.pcall('ZREM', index, id) end
          local left = (hi - NEXT_HI) * 4294967.296 + (lo - NEXT_LO) / 1000 + ARGV[5]
          longest = math.max(longest, left)
          answer = { 1, place }
        end
      end
    end
  end
  answers[#answers + 1] = answer
end
if place then
  -- The feed lives as long as its longest member, and the order of expiry as long as that; see part_index.lua.
  for _, name in ipairs({ 'revoked', 'expiry' }) do
    local left = call('PTTL', P .. name)
    if left < longest then
      left = longest + longest / 8 + 60000
      call('PEXPIRE', P .. name, string.format('%.0f', left))
    end
    longest = left
  end
end
return answers
