def main():
    total = 0
    i = 0
    while i < 20000000:
        if i % 3 == 0:
            total = total + i
        else:
            total = total - 1
        i = i + 1
    for a in range(3000):
        for b in range(1000):
            total = total + a * b % 7
    return total
print(main())
