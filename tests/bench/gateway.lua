-- wrk: the ceiling of etcd's JSON gateway for one kind of request, on keys nobody has used yet.
-- SHAPE=put|create|txn, OPS=operations in a txn, VALUE=bytes of a value, PREFIX=of the keys.
--   put     one put                        create  a txn that creates one key, as a writer does
--   txn     OPS puts                       guarded OPS keys, each created only if absent
-- The last line is one JSON object.
local shape = os.getenv("SHAPE") or "put"
local ops = tonumber(os.getenv("OPS") or "128")
local bytes = tonumber(os.getenv("VALUE") or "44")
local prefix = os.getenv("PREFIX") or "/ceiling/"
local letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local number = 0

local function letter(n)
  return letters:sub(n % 64 + 1, n % 64 + 1)
end

local function base64(text)
  local out = {}
  for i = 1, #text, 3 do
    local a, b, c = text:byte(i, i + 2)
    local n = a * 65536 + (b or 0) * 256 + (c or 0)
    out[#out + 1] = letter(math.floor(n / 262144)) .. letter(math.floor(n / 4096)) ..
      (b and letter(math.floor(n / 64)) or "=") .. (c and letter(n) or "=")
  end
  return table.concat(out)
end

local value = base64(string.rep("v", bytes))
local headers = { ["Content-Type"] = "application/json" }

local function next_key()
  number = number + 1
  return base64(string.format("%s%010d", prefix, number))
end

local function put(key)
  return '{"key":"' .. key .. '","value":"' .. value .. '"}'
end

local function txn(count, guarded)
  local compares, puts = {}, {}
  for i = 1, count do
    local key = next_key()
    compares[i] = '{"key":"' .. key .. '","target":"CREATE","result":"EQUAL","create_revision":"0"}'
    puts[i] = '{"request_put":' .. put(key) .. "}"
  end
  return '{"compare":[' .. (guarded and table.concat(compares, ",") or "") .. '],"success":[' ..
    table.concat(puts, ",") .. "]}"
end

function request()
  if shape == "put" then
    return wrk.format("POST", "/v3/kv/put", headers, put(next_key()))
  end
  local body = shape == "create" and txn(1, true) or txn(ops, shape == "guarded")
  return wrk.format("POST", "/v3/kv/txn", headers, body)
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\n{"seconds":%.3f,"requests":%d,"p50_ms":%.3f,"p99_ms":%.3f,"errors":%d}\n',
    summary.duration / 1e6, summary.requests, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
