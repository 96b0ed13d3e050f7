-- wrk's load: a different notification in each request.
-- arguments: notifications in a request, number of the first, the JSON of one with {n} in it,
-- and "keyed" if each request has an Idempotency-Key

local batch, number, pattern, is_keyed = 1, 0, "", false

function init(args)
    batch = tonumber(args[1])
    number = tonumber(args[2])
    pattern = args[3]
    is_keyed = args[4] == "keyed"
end

local function one()
    number = number + 1
    return (string.gsub(pattern, "{n}", number))
end

local function many()
    local all = {}
    for index = 1, batch do
        all[index] = one()
    end
    return '{"notifications":[' .. table.concat(all, ",") .. "]}"
end

function request()
    local body = batch == 1 and one() or many()
    if is_keyed then
        wrk.headers["Idempotency-Key"] = "bench-" .. number
    end
    return wrk.format("POST", nil, nil, body)
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '\n{"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"max_us":%d,'
            .. '"refused":%d,"broken":%d,"late":%d}\n',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        latency.max, errors.status, errors.connect + errors.read + errors.write, errors.timeout
    ))
end
