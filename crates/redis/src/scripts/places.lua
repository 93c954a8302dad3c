-- Takes places in the order of revocation.
-- KEYS[1]: the key of the highest place taken. ARGV[1]: how many. ARGV[2]: the least that will do.
-- Gives the first of them. With none taken, the highest is at least the least from then on.
local last = tonumber(redis.call('GET', KEYS[1]) or '0')
local first = math.max(last + 1, tonumber(ARGV[2]))
local highest = math.max(last, first + tonumber(ARGV[1]) - 1)
if ARGV[1] == '0' then highest = math.max(last, tonumber(ARGV[2])) end
if highest > last then redis.call('SET', KEYS[1], string.format('%.0f', highest)) end
return string.format('%.0f', first)
