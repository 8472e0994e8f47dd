-- Canary by serial pattern: rollouts whose name begins with "canary" go to
-- the factory's pilot series and to one in two hundred of the others.

local pilot = { "DC1-PILOT-*", "DC1-QA-*", "*-ENG" }

return function(ctx)
    local d = ctx.decision

    if d.reason ~= "offer"
        or not fota.starts_with(d.rollout_name or "", "canary")
    then
        return nil
    end

    for _, pattern in ipairs(pilot) do
        if fota.glob(pattern, ctx.device.id) then
            return { fields = { canary = true } }
        end
    end

    if fota.bucket(d.rollout, ctx.device.id) < 50 then
        return nil
    end

    return { action = "deny", message = "not a canary" }
end
