-- Per-carrier node pool: devices of a carrier with nodes inside its network
-- are sent to that node group; others go where distance says.

local pools = {
    [4134] = 20,        -- AS number -> node group
    [4837] = 21,
    [9605] = 30,
}

return function(ctx)
    local pool = pools[ctx.geo.asn or 0]

    if pool then
        return { pool = pool, fields = { carrier_pool = pool } }
    end
end
