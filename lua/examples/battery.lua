-- Battery and network: the device states attributes "battery" (percent),
-- "charging" (true/false) and "net" (wifi, lte, 2g).  What is not stated is
-- not held against it.

local metered = { lte = true, ["3g"] = true, ["2g"] = true }
local metered_max = 32 * 1024 * 1024

return function(ctx)
    local d = ctx.decision

    if d.reason ~= "offer" then
        return nil
    end

    local a = ctx.device.attrs
    local battery = tonumber(a.battery or "")

    if battery and battery < 30 and a.charging ~= "true" then
        return { action = "defer", after = 3600,
                 message = "battery at " .. battery .. " %" }
    end

    if metered[a.net or ""] and (d.size or 0) > metered_max then
        return { action = "defer", after = 6 * 3600,
                 message = "too large for a metered network" }
    end
end
