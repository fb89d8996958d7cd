local sqrt = math.sqrt
local function energy(bodies)
  local e = 0.0
  local n = #bodies
  for i = 1, n do
    local a = bodies[i]
    e = e + 0.5 * a[7] * (a[4] * a[4] + a[5] * a[5] + a[6] * a[6])
    for j = i + 1, n do
      local b = bodies[j]
      local dx = a[1] - b[1]
      local dy = a[2] - b[2]
      local dz = a[3] - b[3]
      e = e - a[7] * b[7] / sqrt(dx * dx + dy * dy + dz * dz)
    end
  end
  return e
end

local function advance(xs, ys, zs, us, vs, ws, ms, steps, dt)
  local n = #xs
  for step = 1, steps do
    for i = 1, n do
      local x, y, z = xs[i], ys[i], zs[i]
      local u, v, w, m = us[i], vs[i], ws[i], ms[i]
      for j = i + 1, n do
        local dx = x - xs[j]
        local dy = y - ys[j]
        local dz = z - zs[j]
        local d2 = dx * dx + dy * dy + dz * dz
        local mag = dt / (d2 * sqrt(d2))
        local mj = ms[j] * mag
        local mi = m * mag
        u = u - dx * mj
        v = v - dy * mj
        w = w - dz * mj
        us[j] = us[j] + dx * mi
        vs[j] = vs[j] + dy * mi
        ws[j] = ws[j] + dz * mi
      end
      us[i] = u
      vs[i] = v
      ws[i] = w
      xs[i] = x + dt * u
      ys[i] = y + dt * v
      zs[i] = z + dt * w
    end
  end
  local bodies = {}
  for i = 1, n do bodies[i] = {xs[i], ys[i], zs[i], us[i], vs[i], ws[i], ms[i]} end
  return bodies
end

local xs = {0.0, 4.84143144246472090, 8.34336671824457987, 12.8943695621391310, 15.3796971148509165}
local ys = {0.0, -1.16032004402742839, 4.12479856412430479, -15.1111514016986312, -25.9193146099879641}
local zs = {0.0, -0.103622044471123109, -0.403523417114321381, -0.223307578892655734, 0.179258772950371181}
local us = {-0.00038766, 0.606326392995832, -1.01077434617879, 1.08279100644153, 0.979090732243898}
local vs = {-0.00327537, 2.81198684491626, 1.82566237123041, 0.868713018169608, 0.594698998647676}
local ws = {0.00002393, -0.0252183616598876, 0.00841576137658415, -0.0108326374013636, -0.034755955550162}
local ms = {39.47841760435743, 0.03769367487038949, 0.011286326131968767, 0.0017237240570597112, 0.0020336868699246304}
local bodies = advance(xs, ys, zs, us, vs, ws, ms, 200000, 0.01)
print(string.format("%d", math.floor(energy(bodies) * 1000000.0 + 0.5)))
