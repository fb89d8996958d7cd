def main():
    total = 0
    for _ in range(10):
        xs = []
        for i in range(500000):
            xs.append(i * 2)
        for i in range(500000):
            total = total + xs[i]
        for x in xs:
            total = total - x + 1
        for i in range(500000):
            xs[i] = xs[i] + 1
        total = total + xs[499999]
    return total
print(main())
