-- Raise the horizons of a generation's metrics, and forget groups whose buckets lie below, a limited number of them.
-- Whoever writes meanwhile heeds the horizon already (`is_past`), so that it does not matter when a group goes.
--
-- ARGV: generation, limit, then for each metric with buckets: its name, and the first bucket that is kept, as JSON.
-- Returns how many groups were forgotten: none of a generation that is not there, which a writer hears of.

local generation, limit = ARGV[1], tonumber(ARGV[2])

local known = redis.call('HMGET', collection, 'serving', 'layout:' .. generation)
if not known[2] then
  return 0
end
local is_served = known[1] == generation
local horizons = {}
for first = 3, #ARGV, 2 do
  horizons[ARGV[first]] = ARGV[first + 1]
end

local function raise_horizon(metric)
  if horizon_of(metric) < horizons[metric.name] then
    metric.horizon = horizons[metric.name]
    redis.call('HSET', metric.hash, 'horizon', metric.horizon)
  end
end

local function forget(metric, group)
  local state = state_of(metric, group)
  if state.published then
    for _, value in ipairs(metric.values) do
      announce_nothing(metric, state, value)
    end
  end
  state.items = 0
  if metric.tokens > 0 then
    redis.call('UNLINK', values_key(metric, group), order_key(metric, group))
  end
  for _, value in ipairs(metric.stored) do
    if value.kind == 'approximate_distinct' then
      redis.call('UNLINK', estimate_key(metric, value.stored .. ':' .. group))
    end
  end
  if not state.is_new then
    tell_viewers(metric, state, metric.total and state_of(metric, TOTAL), is_served)
  end
end

local forgotten = 0
for _, metric in ipairs(open_metrics(cjson.decode(known[2]), generation)) do
  if horizons[metric.name] then
    raise_horizon(metric)
    local past = redis.call('ZRANGEBYLEX', metric.index, '-', '(' .. metric.horizon, 'LIMIT', 0, limit - forgotten)
    for _, group in ipairs(past) do
      forget(metric, group)
    end
    store_all(metric)
    forgotten = forgotten + #past
  end
end
return forgotten
