"""The words around the steps: greetings, fillers and goodbyes, as people talk in such videos."""

__all__ = [
    "COLOURS",
    "FILLERS",
    "GOODBYES",
    "GREETINGS",
    "LEADS",
    "TAILS",
    "WRONG",
    "coloured",
]

# The named colours that a video's main thing can have.
COLOURS = ("red", "blue", "green", "yellow", "purple", "orange", "pink", "grey")

GREETINGS = (
    "hey guys welcome back to my channel today we {topic}",
    "hi everyone in this video i will show you how to {topic}",
    "hello and welcome so a lot of you asked me how to {topic}",
    "what's up everybody it's me again let's {topic}",
    "good morning today's video is about how to {topic}",
    "hey guys welcome back it is so nice to see you all here",
    "hi everybody thank you so much for being here again",
)
GOODBYES = (
    "thanks for watching and see you next time",
    "don't forget to subscribe and hit the bell",
    "that's it guys let me know in the comments how it went",
    "if you liked this video give it a thumbs up bye",
    "and we are done have a lovely day everybody",
)
FILLERS = (
    "don't forget to subscribe if you are new here",
    "by the way this video is not sponsored",
    "my grandmother taught me this when i was little",
    "i have been doing this for about ten years now",
    "let me know in the comments where you are from",
    "sorry about the noise my neighbour is at it again",
    "take your time there is no need to hurry",
    "you can find all the links in the description below",
    "honestly i was so nervous the first time i tried",
    "okay so where was i yes let's keep going",
    "it looks difficult but trust me anybody can do it",
    "the weather has been so strange these days",
)
LEADS = (
    "",
    "so",
    "okay now",
    "and then",
    "next up",
    "alright",
    "first of all",
    "the way i do it",
    "so what happens here is",
    "and now",
    "um",
)
TAILS = (
    "",
    "like this",
    "just like that",
    "nice and easy",
    "and be careful with it",
    "as you can see here",
    "and take a little care",
    "you know",
    "that looks really good",
    "it only takes a moment",
)
# What a line that names something out of place says about {thing}, or about doing {step}.
WRONG = (
    "some people would use {thing} for that but i would not",
    "last week i showed you what to do with {thing}",
    "it reminds me of the video about {thing}",
    "in the other video you saw how to {step}",
    "next week i will {step} so stay tuned",
)


def coloured(template: str, colour: str) -> str:
    """Put a colour word into a phrase: 'fold a {colour} shirt' with its article."""
    article = "an" if colour[0] in "aeiou" else "a"
    return template.replace(" a {colour}", f" {article} {{colour}}").format(colour=colour)
