def main():
    total = 0
    for _ in range(5):
        h = {}
        for i in range(200000):
            h[i * 7] = i
        for i in range(200000):
            total = total + h[i * 7]
        names = {}
        for i in range(100000):
            names["key" + str(i)] = i
        for i in range(100000):
            total = total + names["key" + str(i)]
        point = {"x": 1, "y": 2, "z": 3}
        for i in range(500000):
            total = total + point["x"] + point["y"] - point["z"]
        total = total + len(h) + len(names)
    return total
print(main())
