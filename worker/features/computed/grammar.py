"""The grammar of computations, as lark reads it (LALR: one token ahead, time linear in the text)."""

#: From the loosest binding to the tightest. Comparisons do not chain. A name before `(` is a function, else a feature;
#: backquotes make a feature's name of a reserved word. A quote inside a text is written twice.
GRAMMAR = r"""
?start: disjunction

?disjunction: conjunction | disjunction OR conjunction          -> binary
?conjunction: negation    | conjunction AND negation            -> binary
?negation:    comparison  | NOT negation                        -> unary
?comparison:  sum         | sum COMPARISON sum                  -> binary
                          | sum IS NULL                         -> is_null
                          | sum IS NOT NULL                     -> is_not_null
?sum:         product     | sum (PLUS | MINUS) product          -> binary
?product:     signed      | product FACTOR signed               -> binary
?signed:      atom        | MINUS signed                        -> unary
?atom:        NUMBER                                            -> number
            | TEXT                                              -> text
            | (TRUE | FALSE | NULL)                             -> constant
            | NAME                                              -> feature
            | QUOTED                                            -> feature
            | NAME "(" [disjunction ("," disjunction)*] ")"     -> call
            | NAME "(" disjunction OVER DURATION ")"            -> window
            | "(" disjunction ")"

OR: "or"
AND: "and"
NOT: "not"
IS: "is"
NULL: "null"
TRUE: "true"
FALSE: "false"
OVER: "over"
PLUS: "+"
MINUS: "-"
FACTOR: "*" | "/" | "%"
COMPARISON: "==" | "=" | "!=" | "<>" | "<=" | ">=" | "<" | ">"
DURATION.2: /[0-9]+[A-Za-z]+(?<![0-9][eE])/
NUMBER.1: /([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?/
NAME: /[A-Za-z_][A-Za-z0-9_]*/
QUOTED: /`[^`]*`/
TEXT: /'([^']|'')*'|"([^"]|"")*"/

%ignore /[ \t\r\n]+/
"""

#: What a token is called in front of people.
TOKENS = {
    "OR": "`or`",
    "AND": "`and`",
    "NOT": "`not`",
    "IS": "`is`",
    "NULL": "`null`",
    "TRUE": "`true`",
    "FALSE": "`false`",
    "OVER": "`over`",
    "PLUS": "`+`",
    "MINUS": "`-`",
    "FACTOR": "`*`, `/` or `%`",
    "COMPARISON": "a comparison",
    "DURATION": "a duration such as 30d",
    "NUMBER": "a number",
    "NAME": "a feature or function",
    "QUOTED": "a feature in backquotes",
    "TEXT": "a text in quotes",
    "LPAR": "`(`",
    "RPAR": "`)`",
    "COMMA": "`,`",
    "$END": "the end",
}

#: Whatever a value may begin with; where all of them are expected, a value is.
VALUES = frozenset({"NUMBER", "TEXT", "TRUE", "FALSE", "NULL", "NAME", "QUOTED", "LPAR", "MINUS"})
