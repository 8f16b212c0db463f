-- What the scripts share: each script is this file and then one of its siblings. A script is given the key of a
-- collection as KEYS[1]; all other keys of Dynalens that it touches are built from that one and share its hash tag.
-- Published keys are the exception: their names are the user's.
--
-- A Lua number is a double, exact up to 2^53 only: no version and no sum is ever made one as a whole.

local collection = KEYS[1]

local function lost(generation)
  return redis.error_reply('LOST it has no generation ' .. generation .. ' of ' .. collection)
end

-- Sums: integers as text, added in two limbs that doubles hold exactly. The high limb stays below 2^53 for the first
-- nine hundred million items, were each at the 64-bit limit.

local LIMB = 1e12

local function limbs(digits)
  local sign = 1
  if digits:byte(1) == 45 then
    sign, digits = -1, digits:sub(2)
  end
  return sign * (tonumber(digits:sub(1, -13)) or 0), sign * tonumber(digits:sub(-12))
end

local function joined(high, low)
  local carry = low >= LIMB and 1 or low <= -LIMB and -1 or 0
  high, low = high + carry, low - carry * LIMB
  if high > 0 and low < 0 then
    high, low = high - 1, low + LIMB
  elseif high < 0 and low > 0 then
    high, low = high + 1, low - LIMB
  end
  if high == 0 then
    return string.format('%.0f', low + 0) -- turns -0 into 0
  end
  return string.format('%.0f%012.0f', high, math.abs(low))
end

local function add(a, b)
  if #a < 15 and #b < 15 then
    return string.format('%.0f', a + b)
  end
  local a_high, a_low = limbs(a)
  local b_high, b_low = limbs(b)
  return joined(a_high + b_high, a_low + b_low)
end

local function negated(digits)
  if digits == '0' then
    return digits
  end
  return digits:byte(1) == 45 and digits:sub(2) or '-' .. digits
end

-- A scaled integer as a plain JSON number: 6050 with 2 decimals is 60.5.
local function decimal(digits, decimals)
  if decimals == 0 then
    return digits
  end
  local sign = ''
  if digits:byte(1) == 45 then
    sign, digits = '-', digits:sub(2)
  end
  digits = string.rep('0', decimals + 1 - #digits) .. digits
  local fraction = digits:sub(-decimals):gsub('0+$', '')
  return sign .. digits:sub(1, -decimals - 1) .. (fraction == '' and '' or '.' .. fraction)
end

-- A spelled number (`dynalens/change/order.py`) as a plain JSON number.
local function plain_number(spelled)
  local sign = spelled:byte(1)
  if sign == 49 then
    return '0'
  end
  local size, digits = tonumber(spelled:sub(2, 4)) - 500, spelled:sub(5)
  if sign == 48 then
    size, digits = -size, digits:sub(1, -2):gsub('%d', function(digit) return 9 - digit end)
  end
  if size <= 0 then
    digits = '0.' .. string.rep('0', -size) .. digits
  elseif size >= #digits then
    digits = digits .. string.rep('0', size - #digits)
  else
    digits = digits:sub(1, size) .. '.' .. digits:sub(size + 1)
  end
  return (sign == 48 and '-' or '') .. digits
end

-- What a metric of a generation is kept as: one hash with `revision`, and for each group, and for the total, the fields
-- n (items), x (items with a value that could not be counted), k (the key to publish under), p (set while that key is
-- ours), s1, s2, … (sums, and how many numbers stand behind averages), and min1, max1, distinct2, … (values of tokens,
-- as they are shown). The total is a group whose name no JSON text can have.
--
-- Where values are counted one by one there is for each group, and for the total, a hash of `place:token` to the number
-- of items, and a sorted set of those tokens that have an order. Where different values are estimated there is for each
-- group, and for the total, a HyperLogLog of all tokens of a place that were ever seen, called as the field of its value.
-- Both stay when the group's last item leaves: nothing can be taken out, and a replay must end as the first run did. With time buckets the metric's hash has also `horizon`,
-- the first bucket that is kept, and a sorted set lists the groups in the order of their buckets.

local TOTAL = '*'
local BUCKET = #'"2026-11-21T15:49:00Z"'

-- The metrics that a generation's layout describes (`layout.py`), each with its hash and its states read so far.
local function open_metrics(layout, generation)
  for _, metric in ipairs(layout.metrics) do
    metric.hash = collection .. ':' .. generation .. ':metric:' .. metric.name
    metric.index = metric.hash .. ':index'
    metric.states = {}
    metric.tokens, metric.approximate = metric.tokens or 0, metric.approximate or 0
    metric.kinds, metric.stored = {}, {}
    for _, value in ipairs(metric.values) do
      if value.kind then
        metric.kinds[#metric.kinds + 1] = value
      end
      if value.stored then
        metric.stored[#metric.stored + 1] = value
      end
    end
  end
  return layout.metrics
end

local function field_names(metric, group)
  local names = {'n:' .. group, 'x:' .. group, 'k:' .. group, 'p:' .. group}
  for i = 1, metric.sums do
    names[4 + i] = 's' .. i .. ':' .. group
  end
  for _, value in ipairs(metric.stored) do
    names[#names + 1] = value.stored .. ':' .. group
  end
  return names
end

local function values_key(metric, group)
  return metric.hash .. ':values:' .. group
end

local function order_key(metric, group)
  return metric.hash .. ':order:' .. group
end

-- A HyperLogLog, by the field of the hash that holds what it estimates.
local function estimate_key(metric, field)
  return metric.hash .. ':' .. field
end

-- A group that is told by no bucket, as all are in a metric without buckets, is kept for as long as it has items.
local function has_bucket(metric, group)
  return metric.buckets and group:byte(1) == 34
end

local function horizon_of(metric)
  if not metric.horizon then
    metric.horizon = redis.call('HGET', metric.hash, 'horizon') or ''
  end
  return metric.horizon
end

-- Whether a group's bucket is no longer kept: what its items add and take away counts in the total alone.
local function is_past(metric, group)
  return has_bucket(metric, group) and group:sub(1, BUCKET) < horizon_of(metric)
end

-- The state of a group, read once in a script.
local function state_of(metric, group)
  local state = metric.states[group]
  if not state then
    local held = redis.call('HMGET', metric.hash, unpack(field_names(metric, group)))
    state = {group = group, is_new = not held[1], items = tonumber(held[1] or 0), inexact = tonumber(held[2] or 0),
             key = held[3], published = held[4], sums = {}, stored = {}}
    for i = 1, metric.sums do
      state.sums[i] = held[4 + i] or '0'
    end
    for i, value in ipairs(metric.stored) do
      state.stored[value.stored] = held[4 + metric.sums + i] or value.nothing
    end
    metric.states[group] = state
  end
  return state
end

local function is_gone(state)
  return state.items == 0 and state.group ~= TOTAL
end

-- A count or a sum of a state, or of a difference between two, as a scaled integer.
local function digits(state, value)
  return value.sum > 0 and state.sums[value.sum] or string.format('%.0f', state.items)
end

-- Rounded to a double at each step, as `reader.py` does.
local function average(state, value)
  local numbers = state.sums[value.numbers]
  if numbers == '0' then
    return 'null'
  end
  return string.format('%.15g', tonumber(state.sums[value.sum]) / tonumber(numbers) / tonumber('1e' .. value.decimals))
end

-- One value of a state, or a count or a sum of a difference, as JSON.
local function number(state, value)
  if not value.kind then
    return decimal(digits(state, value), value.decimals)
  end
  if value.kind == 'avg' then
    return average(state, value)
  end
  -- An estimate outlives the last item of its group, unseen.
  return is_gone(state) and value.nothing or state.stored[value.stored]
end

-- By how much a value with a kind changed, as JSON: null where it has no exact difference.
local function changed_by(value, before, now)
  if before == now then
    return '0'
  end
  return value.nothing == '0' and string.format('%.0f', now - before) or 'null'
end

local heard = {}

-- Nobody can subscribe while a script runs, so each channel is asked for once.
local function is_heard(channel)
  if heard[channel] == nil then
    heard[channel] = redis.call('PUBSUB', 'NUMSUB', channel)[2] > 0
  end
  return heard[channel]
end

-- Publishing under the user's names.

-- Keys that exist and are not ours; the first of them are reported, each once.
local taken, REPORTED = {}, 100

-- Makes the state's key ours, unless it exists: then it belongs to somebody else, and nothing of it is touched.
local function claim(state)
  if not state.published then
    if redis.call('EXISTS', state.key) == 0 then
      state.published = '1'
    elseif not taken[state.key] and #taken < REPORTED then
      taken[state.key], taken[#taken + 1] = true, state.key
    end
  end
  return state.published
end

local function write_published(metric, state)
  if is_gone(state) then
    redis.call('DEL', state.key)
    return
  end
  local fields = {}
  for _, value in ipairs(metric.values) do
    local now = number(state, value)
    fields[#fields + 1] = value.field
    fields[#fields + 1] = now == 'null' and '' or now
  end
  -- Not redis.call: whoever has put something else under our key must not break the counting.
  redis.pcall('HSET', state.key, unpack(fields))
end

local names = {}

-- The name of a published value in messages, as JSON.
local function message_name(key, field)
  local name = key .. ':' .. field
  if not names[name] then
    names[name] = cjson.encode(name):gsub('\\/', '/')
  end
  return names[name]
end

local function announce(metric, key, value, now, delta)
  if metric.channel and delta ~= '0' then
    redis.call('PUBLISH', metric.channel,
      '{"key": ' .. message_name(key, value.field) .. ', "value": ' .. now .. ', "delta": ' .. delta .. '}')
  end
end

-- What a value is where there is nothing to tell it from.
local function nothing(value)
  return value.nothing or value.kind == 'avg' and 'null' or '0'
end

-- Announces that a value is no more.
local function announce_nothing(metric, state, value)
  local delta = value.kind and changed_by(value, number(state, value), nothing(value))
  announce(metric, state.key, value, nothing(value), delta or decimal(negated(digits(state, value)), value.decimals))
end

-- Forgets a group without items, but for its estimates; those go with its bucket, so that the index keeps the group.
local function forget_items(metric, state, names)
  redis.call('HDEL', metric.hash, unpack(names, 1, #names - metric.approximate))
  for i = #metric.stored - metric.approximate + 1, #metric.stored do
    redis.call('HSET', metric.hash, names[4 + metric.sums + i], state.stored[metric.stored[i].stored])
  end
end

local function store(metric, state)
  local names = field_names(metric, state.group)
  local is_kept = metric.approximate > 0 and not is_past(metric, state.group)
  if has_bucket(metric, state.group) then
    if is_gone(state) and not is_kept then
      redis.call('ZREM', metric.index, state.group)
    elseif state.is_new then
      redis.call('ZADD', metric.index, 0, state.group)
    end
  end
  if is_gone(state) and is_kept then
    return forget_items(metric, state, names)
  elseif is_gone(state) then
    redis.call('HDEL', metric.hash, unpack(names))
    return
  end
  local fields = {names[1], string.format('%.0f', state.items), names[2], string.format('%.0f', state.inexact)}
  local function include(name, value)
    if value then
      fields[#fields + 1] = name
      fields[#fields + 1] = value
    end
  end
  include(names[3], state.key)
  include(names[4], state.published)
  for i = 1, metric.sums do
    include(names[4 + i], state.sums[i])
  end
  for i, value in ipairs(metric.stored) do
    include(names[4 + metric.sums + i], state.stored[value.stored])
  end
  redis.call('HSET', metric.hash, unpack(fields))
end

-- Stores every state that the script has read, and what is published of it.
local function store_all(metric)
  for _, state in pairs(metric.states) do
    store(metric, state)
    if state.published then
      write_published(metric, state)
    end
  end
  if metric.revision then
    redis.call('HSET', metric.hash, 'revision', string.format('%.0f', metric.revision))
  end
end

local function revision_of(metric)
  return metric.revision or tonumber(redis.call('HGET', metric.hash, 'revision') or 0)
end

local function values_json(metric, state)
  local members = {}
  for i, value in ipairs(metric.values) do
    members[i] = value.json .. number(state, value)
  end
  return '{' .. table.concat(members, ',') .. '}'
end

local function group_json(metric, group)
  local members = {}
  for fragment in group:gmatch('[^\31]+') do
    members[#members + 1] = metric.attributes[#members + 1] .. fragment
  end
  return '{' .. table.concat(members, ',') .. '}'
end

-- Counts a change of a group, and tells whoever watches the metric.
local function tell_viewers(metric, state, total, is_served)
  metric.revision = revision_of(metric) + 1
  if is_served and is_heard(metric.live) then
    redis.call('PUBLISH', metric.live, string.format('%.0f', metric.revision) .. ' {"metric":' .. metric.topic
      .. ',"group":' .. group_json(metric, state.group)
      .. ',"values":' .. (is_gone(state) and 'null' or values_json(metric, state))
      .. ',"total":' .. (total and values_json(metric, total) or 'null')
      .. ',"exact":' .. (state.inexact == 0 and 'true' or 'false') .. '}')
  end
end

-- The groups that a metric holds, without its total.
local function groups_of(metric)
  local groups = {}
  for _, name in ipairs(redis.call('HKEYS', metric.hash)) do
    if name:sub(1, 2) == 'n:' and name ~= 'n:' .. TOTAL then
      groups[#groups + 1] = name:sub(3)
    end
  end
  table.sort(groups)
  return groups
end

-- Takes back what a metric has published; calls `each` with every state that was.
local function unpublish(metric, each)
  if not metric.publishes then
    return
  end
  local groups = groups_of(metric)
  groups[#groups + 1] = TOTAL
  for _, group in ipairs(groups) do
    local state = state_of(metric, group)
    if state.published then
      each(metric, state)
      redis.call('DEL', state.key)
      redis.call('HDEL', metric.hash, 'p:' .. group)
    end
  end
end
