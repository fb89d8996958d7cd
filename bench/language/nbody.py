from math import sqrt

def energy(bodies):
    e = 0.0
    n = len(bodies)
    for i in range(n):
        a = bodies[i]
        e = e + 0.5 * a[6] * (a[3] * a[3] + a[4] * a[4] + a[5] * a[5])
        for j in range(i + 1, n):
            b = bodies[j]
            dx = a[0] - b[0]
            dy = a[1] - b[1]
            dz = a[2] - b[2]
            e = e - a[6] * b[6] / sqrt(dx * dx + dy * dy + dz * dz)
    return e

def advance(xs, ys, zs, us, vs, ws, ms, steps, dt):
    n = len(xs)
    for _ in range(steps):
        for i in range(n):
            x, y, z = xs[i], ys[i], zs[i]
            u, v, w, m = us[i], vs[i], ws[i], ms[i]
            for j in range(i + 1, n):
                dx = x - xs[j]
                dy = y - ys[j]
                dz = z - zs[j]
                d2 = dx * dx + dy * dy + dz * dz
                mag = dt / (d2 * sqrt(d2))
                mj = ms[j] * mag
                mi = m * mag
                u = u - dx * mj
                v = v - dy * mj
                w = w - dz * mj
                us[j] = us[j] + dx * mi
                vs[j] = vs[j] + dy * mi
                ws[j] = ws[j] + dz * mi
            us[i] = u
            vs[i] = v
            ws[i] = w
            xs[i] = x + dt * u
            ys[i] = y + dt * v
            zs[i] = z + dt * w
    return [[xs[i], ys[i], zs[i], us[i], vs[i], ws[i], ms[i]] for i in range(n)]

xs = [0.0, 4.84143144246472090, 8.34336671824457987, 12.8943695621391310, 15.3796971148509165]
ys = [0.0, -1.16032004402742839, 4.12479856412430479, -15.1111514016986312, -25.9193146099879641]
zs = [0.0, -0.103622044471123109, -0.403523417114321381, -0.223307578892655734, 0.179258772950371181]
us = [-0.00038766, 0.606326392995832, -1.01077434617879, 1.08279100644153, 0.979090732243898]
vs = [-0.00327537, 2.81198684491626, 1.82566237123041, 0.868713018169608, 0.594698998647676]
ws = [0.00002393, -0.0252183616598876, 0.00841576137658415, -0.0108326374013636, -0.034755955550162]
ms = [39.47841760435743, 0.03769367487038949, 0.011286326131968767, 0.0017237240570597112, 0.0020336868699246304]
bodies = advance(xs, ys, zs, us, vs, ws, ms, 200000, 0.01)
print(round(energy(bodies) * 1000000.0))
