-- Forget tombstones that were written before a time, a limited number of them. What an item was is looked up in the
-- same step, so a write that came after the delete stays.
--
-- ARGV: generation, time in epoch seconds, limit. Returns how many entries were looked at, and how many forgotten.

local VERSION = 19
local contributions = collection .. ':' .. ARGV[1] .. ':contributions'
local tombstones = collection .. ':' .. ARGV[1] .. ':tombstones'

local ids = redis.call('ZRANGEBYSCORE', tombstones, '-inf', '(' .. ARGV[2], 'LIMIT', 0, ARGV[3])
local forgotten = 0
for _, id in ipairs(ids) do
  local held = redis.call('HGET', contributions, id)
  if held and #held == VERSION then
    forgotten = forgotten + redis.call('HDEL', contributions, id)
  end
  redis.call('ZREM', tombstones, id)
end
return {#ids, forgotten}
