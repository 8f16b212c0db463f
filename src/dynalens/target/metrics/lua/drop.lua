-- Forget a generation whole, and what it publishes if it is the one that is served.
--
-- ARGV: generation.

local generation = ARGV[1]

local layout = redis.call('HGET', collection, 'layout:' .. generation)
if not layout then
  return 0
end
local metrics = open_metrics(cjson.decode(layout), generation)
if redis.call('HGET', collection, 'serving') == generation then
  for _, metric in ipairs(metrics) do
    unpublish(metric, function() end)
  end
  redis.call('HDEL', collection, 'serving')
end
for _, metric in ipairs(metrics) do
  if metric.tokens > 0 then
    local groups = groups_of(metric)
    groups[#groups + 1] = TOTAL
    for _, group in ipairs(groups) do
      redis.call('UNLINK', values_key(metric, group), order_key(metric, group))
    end
  end
  if metric.approximate > 0 then
    for _, field in ipairs(redis.call('HKEYS', metric.hash)) do
      if field:find('^approximate_distinct') then
        redis.call('UNLINK', estimate_key(metric, field))
      end
    end
  end
  redis.call('UNLINK', metric.hash, metric.index)
end
local own = collection .. ':' .. generation
redis.call('UNLINK', own .. ':contributions', own .. ':tombstones')
redis.call('HDEL', collection, 'layout:' .. generation, 'metrics:' .. generation)
return 1
