-- Revokes those of these tokens that are active and meet the filter from ARGV[10] on; `missing` is called
-- with the ids of those that are not stored. Gives how many ids there were, the last of them, the highest
-- place given, and of each token that was revoked its id, and the id of the token that it was to take the
-- place of if that is not settled yet.
local function revoke_all(ids, missing)
  local answer = { #ids, ids[#ids] or '', '' }
  for _, id in ipairs(ids) do
    local value = call('GET', P .. 'token:' .. id)
    if not value then
      missing(id)
    elseif matches(value, 10) and not passed(value, 3) and byte(value, 2) == ACTIVE then
      revoke(id, value, '')
      answer[#answer + 1] = id
      answer[#answer + 1] = call('GET', P .. 'turn:' .. id) or ''
    end
  end
  answer[3] = remember_place()
  return answer
end
