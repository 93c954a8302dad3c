-- Whether a bulk revocation is under way at one of a token's anchors. A successor that was stored behind
-- its back, of a token that it has yet to reach, would escape it.
local function is_fenced(value)
  for _, index in ipairs(index_keys(anchors(value))) do
    if call('EXISTS', P .. 'bulk:' .. sub(index, #P + 1)) == 1 then return true end
  end
  return false
end
