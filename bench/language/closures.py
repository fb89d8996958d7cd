def adder(n):
    return lambda x: x + n
def compose(f, g):
    return lambda x: g(f(x))
def main():
    total = 0
    for i in range(2000000):
        f = adder(i)
        g = compose(f, adder(1))
        total = total + g(total % 10)
    return total
print(main())
