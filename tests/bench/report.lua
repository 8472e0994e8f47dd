-- Reports of random devices.  What differs stands where LuaJIT's hash of
-- strings looks: at the end.

local body = '{"tenant":"bench","product":"cam","state":"downloading",'
             .. '"rollout":1,"attempt":1,"progress":40,"bytes":104857600,'
             .. '"ms":91000,"version":"1.0.0","node":"node-7",'
             .. '"device":"dev-%08d","seq":%d}'

function init(args)
    math.randomseed(20260102)
    requests = {}

    for i = 1, 8192 do
        requests[i] = wrk.format("POST", "/fota/v1/report",
            { ["Content-Type"] = "application/json" },
            string.format(body, math.random(0, 999999), i))
    end

    at = 0
end

function request()
    at = at % 8192 + 1
    return requests[at]
end
