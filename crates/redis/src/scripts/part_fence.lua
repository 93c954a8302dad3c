-- Bulk revocations under way: of each index a sorted set of their marks, with the instants until which they
-- count. A mark ends with `o` while its bulk revocation is open: a successor that is stored at one of its
-- anchors is noted for it, since the revocation may have left this shard and not have reached the old
-- token's yet. It ends with `c` once that is closed: no successor is stored then until it is gone.
local function fence_key(index)
  return P .. 'bulk:' .. index
end

-- How many milliseconds the successors noted for a bulk revocation are kept of which nothing more is heard:
-- longer than its mark counts.
local LATE_LIFETIME = 120000

local function late_key(mark)
  return P .. 'late:' .. mark
end

-- The open marks that concern a token; nothing if one of them is closed.
local function open_marks(value)
  local marks = {}
  for _, index in ipairs(index_keys(anchors(value))) do
    local found = call('ZRANGEBYSCORE', fence_key(sub(index, #P + 1)), whole(now_micros()), '+inf')
    for _, mark in ipairs(found) do
      if sub(mark, 9) == 'c' then return nil end
      marks[#marks + 1] = sub(mark, 1, 8)
    end
  end
  return marks
end

local function note(marks, id)
  for _, mark in ipairs(marks) do
    call('SADD', late_key(mark), id)
    call('PEXPIRE', late_key(mark), LATE_LIFETIME)
  end
end

-- Lets a mark count so many milliseconds; those that count no more go.
local function mark_until(index, mark, ttl)
  call('ZREMRANGEBYSCORE', fence_key(index), '-inf', '(' .. whole(now_micros()))
  call('ZADD', fence_key(index), whole(now_micros() + ttl * 1000), mark)
  call('PEXPIRE', fence_key(index), ttl)
end
