-- Let readers see a generation, in one step: its groups take the place of the served one's under the published keys.
--
-- ARGV: generation. Returns the keys that somebody else holds.

local generation = ARGV[1]

local known = redis.call('HMGET', collection, 'serving', 'layout:' .. generation)
local served = known[1]
if not known[2] then
  return lost(generation)
end
if served == generation then
  return {}
end
local old_layout = served and redis.call('HGET', collection, 'layout:' .. served)
local old_metrics = old_layout and open_metrics(cjson.decode(old_layout), served) or {}
local new_metrics = open_metrics(cjson.decode(known[2]), generation)

-- What subscribers were told last, by the value's name in messages.
local told = {}

local function remember(metric, state)
  for _, value in ipairs(metric.values) do
    told[message_name(state.key, value.field)] = {metric = metric, state = state, value = value}
  end
end

local function announce_end(name)
  local last = told[name]
  told[name] = nil
  announce_nothing(last.metric, last.state, last.value)
end

-- Whether the difference between two values can be told: they are computed and scaled alike.
local function is_alike(one, other)
  return one.kind == other.kind and one.decimals == other.decimals
end

local function announce_difference(metric, state, value)
  local name, now = message_name(state.key, value.field), number(state, value)
  if told[name] and not is_alike(told[name].value, value) then
    announce_end(name)
  end
  local last = told[name]
  told[name] = nil
  if value.kind then
    local before = last and number(last.state, last.value) or nothing(value)
    announce(metric, state.key, value, now, changed_by(value, before, now))
    return
  end
  local before = last and digits(last.state, last.value) or '0'
  announce(metric, state.key, value, now, decimal(add(digits(state, value), negated(before)), value.decimals))
end

local function take_over(metric, group)
  local state = state_of(metric, group)
  state.key = state.key or group == TOTAL and metric.total_key
  if state.key and claim(state) then
    for _, value in ipairs(metric.values) do
      announce_difference(metric, state, value)
    end
  end
end

local function take_over_all(metric)
  for _, group in ipairs(groups_of(metric)) do
    take_over(metric, group)
  end
  if metric.total then
    take_over(metric, TOTAL)
  end
end

local function announce_ends()
  local names = {}
  for name in pairs(told) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    announce_end(name)
  end
end

for _, metric in ipairs(old_metrics) do
  unpublish(metric, remember)
end
for _, metric in ipairs(new_metrics) do
  if metric.publishes then
    take_over_all(metric)
  end
end
announce_ends()

-- Revisions go on rising from those of the other generation; viewers of that one are told to read anew.
local last_revision = {}
for _, metric in ipairs(old_metrics) do
  last_revision[metric.name] = revision_of(metric)
end
for _, metric in ipairs(new_metrics) do
  metric.revision = math.max(revision_of(metric), last_revision[metric.name] or 0) + 1
  store_all(metric)
  redis.call('PUBLISH', metric.live, 'replaced')
end
redis.call('HSET', collection, 'serving', generation)
return taken
