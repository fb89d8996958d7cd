"""The steps of the saga: each either does its work or raises."""


class CardRefused(Exception):
    pass


def book_flight(city):
    print(f"flight to {city}")
    return f"flight-{city}"


def cancel_flight(flight):
    print(f"cancelled {flight}")


def book_hotel(city, nights):
    print(f"hotel in {city} for {nights} nights")
    return f"hotel-{city}"


def cancel_hotel(hotel):
    print(f"cancelled {hotel}")


def charge_card(card, amount):
    if card == "stolen":
        raise CardRefused(f"the card was refused for {amount}")
