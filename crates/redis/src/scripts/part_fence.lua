-- Bulk revocations under way: of each index a sorted set of their marks, with the instants until which they
-- count. A mark ends with `o` while its bulk revocation is open: a successor that is stored at one of its
-- anchors is noted for it, since the revocation may have left this shard and not have reached the old
-- token's yet. It ends with `c` once that is closed: no successor is stored then until it is gone.
--
-- They are judged by this server's clock: by those of callers one could pass over the mark of another. It
-- decides nothing about tokens.
local function fence_key(index)
  return P .. 'bulk:' .. index
end

-- How many milliseconds the successors noted for a bulk revocation are kept of which nothing more is heard:
-- longer than its mark counts.
local LATE_LIFETIME = 120000

local function late_key(mark)
  return P .. 'late:' .. mark
end

local function server_micros()
  local time = call('TIME')
  return time[1] * 1000000 + time[2]
end

-- Takes away the marks that count no more, for good: so the bulk revocations whose marks were passed over
-- learn of it, wherever the clock goes.
local function drop_lapsed(index)
  call('ZREMRANGEBYSCORE', fence_key(index), '-inf', '(' .. whole(server_micros()))
end

-- Whether a mark counts still.
local function stands(index, mark)
  drop_lapsed(index)
  return call('ZSCORE', fence_key(index), mark) ~= false
end

-- The open marks that concern a token; nothing if one of them is closed.
local function open_marks(value)
  local marks = {}
  for _, key in ipairs(index_keys(anchors(value))) do
    local index = sub(key, #P + 1)
    if call('EXISTS', fence_key(index)) == 1 then
      drop_lapsed(index)
      for _, mark in ipairs(call('ZRANGE', fence_key(index), 0, -1)) do
        if sub(mark, 9) == 'c' then return nil end
        marks[#marks + 1] = sub(mark, 1, 8)
      end
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

-- Lets a mark count so many milliseconds, and keeps what is noted for it.
local function mark_until(index, mark, ttl)
  drop_lapsed(index)
  call('ZADD', fence_key(index), whole(server_micros() + ttl * 1000), mark)
  call('PEXPIRE', fence_key(index), ttl)
  call('PEXPIRE', late_key(sub(mark, 1, 8)), LATE_LIFETIME)
end
