-- Tell viewers of documents of a collection that has no metrics: nothing else is kept of those. A document is never
-- told older than it was told within this window or the one before.
--
-- ARGV: generation, channel, number of the window, its seconds, then for each write: id, version in 19 digits, payload.

local generation, channel, window, seconds = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local FIRST, STRIDE = 5, 3

local known = redis.call('HMGET', collection, 'serving', 'layout:' .. generation)
if not known[2] then
  return lost(generation)
end
if known[1] ~= generation or #ARGV < FIRST then
  return 0
end
local now = string.format('%s:told:%.0f', collection, window)
local before = string.format('%s:told:%.0f', collection, window - 1)
for first = FIRST, #ARGV, STRIDE do
  local id, version, payload = ARGV[first], ARGV[first + 1], ARGV[first + 2]
  local told = redis.call('HGET', now, id) or redis.call('HGET', before, id)
  if not told or told < version then
    redis.call('HSET', now, id, version)
    local revision = redis.call('HINCRBY', collection, 'revision', 1)
    redis.call('PUBLISH', channel, string.format('%.0f', revision) .. ' ' .. payload)
  end
end
redis.call('EXPIRE', now, 2 * seconds)
return 1
