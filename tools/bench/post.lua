-- wrk's load: a different notification in each request.
-- arguments: notifications in a request, number of the first, lane

local batch, number, lane = 1, 0, "normal"

function init(args)
    batch = tonumber(args[1]) or 1
    number = tonumber(args[2]) or 0
    lane = args[3] or "normal"
end

local function one()
    number = number + 1
    return string.format(
        '{"type":"email","recipient":"user%d@example.com","subject":"Your order %d",'
            .. '"content":"Hello, your order %d is on its way and should be with you by Friday.",'
            .. '"priority":"%s"}',
        number, number, number, lane
    )
end

local function many()
    local all = {}
    for index = 1, batch do
        all[index] = one()
    end
    return '{"notifications":[' .. table.concat(all, ",") .. "]}"
end

function request()
    return wrk.format("POST", nil, nil, batch == 1 and one() or many())
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
