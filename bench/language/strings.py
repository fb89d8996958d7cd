def main():
    total = 0
    for _ in range(20):
        text = ""
        for i in range(100000):
            text += "item " + str(i) + ";"
        parts = text.split(";")
        total = total + len(text) + len(parts)
        if "item 99999;" in text:
            total = total + 1
        total = total + len(text.upper())
    return total
print(main())
