-- Asks as many devices do: random ids and random client addresses from a list
-- made before the run, the same for a variant and its baseline.

local path, devices, method, extra, close, pad

function init(args)
    path = args[1] or "/fota/v1/check"
    devices = tonumber(os.getenv("BENCH_DEVICES") or "1000000")
    method = os.getenv("BENCH_METHOD") or "POST"
    extra = os.getenv("BENCH_VERSION") or "1.2.0"
    close = os.getenv("BENCH_CLOSE")
    pad = string.rep("x", tonumber(os.getenv("BENCH_PAD") or "0"))

    math.randomseed(20260101)
    requests = {}

    for i = 1, 65536 do
        local ip = math.random(1, 223) .. "." .. math.random(0, 255) .. "."
                   .. math.random(0, 255) .. "." .. math.random(1, 254)
        local id = string.format("dev-%08d", math.random(0, devices - 1))

        if method == "GET" then
            requests[i] = wrk.format("GET", path .. "?tenant=bench&product="
                .. "cam&device=" .. id .. "&version=" .. extra,
                { ["X-Real-IP"] = ip, ["Connection"] = close })
        else
            requests[i] = wrk.format("POST", path,
                { ["X-Real-IP"] = ip, ["Content-Type"] = "application/json",
                  ["Connection"] = close },
                '{"tenant":"bench","product":"cam","device":"' .. id
                .. '","version":"' .. extra .. '","attrs":{"hw":"3","fw":'
                .. '"stable","battery":"87","net":"wifi","pad":"' .. pad
                .. '"}}')
        end
    end

    at = math.random(1, 65536)
end

function request()
    at = at % 65536 + 1
    return requests[at]
end
