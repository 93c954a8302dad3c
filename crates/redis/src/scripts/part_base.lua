-- What every script on a shard knows.
-- KEYS[1]: a key of the shard that never exists. While its slot is being moved the server sends such a
--   script away, so none ever sees half a shard.
-- ARGV[1]: what all keys of the shard begin with.
-- ARGV[2]: one microsecond past now, as 8 bytes: an instant has passed if it comes before it.
local P, NEXT_HI, NEXT_LO = ARGV[1], struct.unpack('>I4I4', ARGV[2])
local call, byte, sub = redis.call, string.byte, string.sub

-- Whether the instant that begins at this byte has passed. Microseconds of far years do not fit a Lua
-- number, so the halves are compared.
local function passed(text, at)
  local hi, lo = struct.unpack('>I4I4', text, at)
  return hi < NEXT_HI or (hi == NEXT_HI and lo < NEXT_LO)
end

-- Near enough for bounds in time.
local function now_micros()
  return NEXT_HI * 4294967296 + NEXT_LO
end

-- A number without an exponent.
local function whole(number)
  return string.format('%.0f', number)
end
