"""The North American numbering plan, as far as the service needs it: area codes and their time.

One table says which area codes are those of the United States and Canada and what the time is
there. It is the sandbox's own reading of the plan, apart from the library the client uses.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

_E164 = re.compile(r"\+[1-9][0-9]{6,14}\Z")
_NANP = re.compile(r"\+1([2-9][0-9]{2})((?!.11)[2-9][0-9]{2})([0-9]{4})\Z")

# Area codes of the United States and Canada by the zone of most of their people.
_ZONES = {
    "America/New_York": """
        201 202 203 207 212 215 216 219 220 223 227 229 231 234 239 240 248 252 260 267 269 270 272
        276 283 301 302 304 305 313 315 317 321 324 326 329 330 332 336 339 347 351 352 363 364 380
        386 401 404 407 410 412 413 419 434 440 443 445 448 463 470 472 475 478 484 502 508 513 516
        517 518 540 551 561 567 570 571 574 582 585 586 603 606 607 609 610 614 616 617 631 640 645
        646 656 667 678 680 681 686 703 704 706 716 717 718 724 727 728 732 734 740 743 754 757 762
        765 770 771 772 774 781 786 802 803 804 810 812 813 814 821 826 828 835 838 839 843 845 848
        850 854 856 857 859 860 862 863 864 865 878 904 906 908 910 912 914 917 919 929 930 934 937
        941 943 947 948 954 959 973 978 980 984 989""",
    "America/Chicago": """
        205 210 214 217 218 224 225 228 235 251 254 256 262 274 281 308 309 312 314 316 318 319 320
        325 327 331 334 337 346 353 361 402 405 409 414 417 423 430 432 447 464 469 479 501 504 507
        512 515 531 534 539 557 563 572 573 580 601 605 608 612 615 618 620 629 630 636 641 651 659
        660 662 682 689 701 708 712 713 715 726 730 731 737 763 769 773 779 785 806 815 816 817 830
        832 847 870 872 901 903 913 918 920 931 936 938 940 945 952 956 972 975 979 985""",
    "America/Los_Angeles": """
        206 209 213 253 279 310 323 341 350 360 369 408 415 424 425 442 458 503 509 510 530 541 559
        562 564 619 626 628 650 657 661 669 702 707 714 725 738 747 760 775 805 818 820 831 840 858
        909 916 925 949 951 971""",
    "America/Toronto": """
        226 249 263 273 289 343 354 365 367 382 416 418 437 438 450 468 514 519 548 579 581 613 647
        683 705 742 753 807 819 873 905 942""",
    "America/Denver": """
        303 307 385 406 435 505 575 719 720 748 801 915 970 983""",
    "America/Vancouver": """
        236 250 257 604 672 778""",
    "America/Edmonton": """
        368 403 587 780 825 867""",
    "America/Phoenix": """
        480 520 602 623 928""",
    "America/Winnipeg": """
        204 431 474 584""",
    "America/Halifax": """
        428 506 782 902""",
    "America/Boise": """
        208 986""",
    "America/Regina": """
        306 639""",
    "America/St_Johns": """
        709 879""",
    "Pacific/Honolulu": """
        808""",
    "America/Anchorage": """
        907""",
}
#: "Toll-free" area codes: free to the caller, no place, no zone.
TOLL_FREE = frozenset({"800", "833", "844", "855", "866", "877", "888"})
# +1 outside of the United States and Canada: the Caribbean and the Pacific.
_FOREIGN = """
    242 246 264 268 284 340 345 441 473 649 658 664 670 671 684 721 758 767 784 787 809 829 849 868
    869 876 939"""
# Personal, non-geographic, satellite and premium: real numbers that cannot be hosted.
_NOT_HOSTABLE = """
    500 521 522 523 524 525 526 527 528 529 532 533 544 566 577 588 600 622 633 710 900"""
# Country codes in use (ITU-T E.164); a number of any other is none.
_COUNTRIES_IN_USE = """
    7 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64
    65 66 81 82 84 86 90 91 92 93 94 95 98 211 212 213 216 218 220 221 222 223 224 225 226 227 228
    229 230 231 232 233 234 235 236 237 238 239 240 241 242 243 244 245 246 247 248 249 250 251 252
    253 254 255 256 257 258 260 261 262 263 264 265 266 267 268 269 290 291 297 298 299 350 351 352
    353 354 355 356 357 358 359 370 371 372 373 374 375 376 377 378 380 381 382 383 385 386 387 389
    420 421 423 500 501 502 503 504 505 506 507 508 509 590 591 592 593 594 595 596 597 598 599 670
    672 673 674 675 676 677 678 679 680 681 682 683 685 686 687 688 689 690 691 692 800 808 850 852
    853 855 856 870 878 880 881 882 883 886 888 960 961 962 963 964 965 966 967 968 970 971 972 973
    974 975 976 977 979 992 993 994 995 996 998"""
_ZONE_OF = {code: zone for zone, codes in _ZONES.items() for code in codes.split()}
_FOREIGN_CODES = frozenset(_FOREIGN.split())
_COUNTRIES = frozenset(_COUNTRIES_IN_USE.split())
_NOT_HOSTABLE_CODES = frozenset(_NOT_HOSTABLE.split())
#: Every area code with a place, in order.
AREA_CODES: tuple[str, ...] = tuple(sorted(_ZONE_OF))


@lru_cache(maxsize=65536)
def judge(phone_number: str) -> int | None:
    """The error code of a number that cannot be hosted, None for one that may.

    22102 not a number; 22103 a number of another country; 22110 of a kind that is not hosted.
    """
    if not _E164.match(phone_number):
        return 22102
    if not phone_number.startswith("+1"):
        return 22103 if any(phone_number[1:end] in _COUNTRIES for end in (2, 3, 4)) else 22102
    parts = _NANP.match(phone_number)
    if not parts:
        return 22102
    code = parts[1]
    if code in _FOREIGN_CODES:
        return 22103
    if code in _NOT_HOSTABLE_CODES:
        return 22110
    return None if code in _ZONE_OF or code in TOLL_FREE else 22102


def is_toll_free(phone_number: str) -> bool:
    """The number's area code is a toll-free one."""
    return phone_number[2:5] in TOLL_FREE


def local_time(phone_number: str, seconds: int) -> datetime:
    """The wall clock where the number is; New York's for a toll-free one."""
    zone = _ZONE_OF.get(phone_number[2:5], "America/New_York")
    return datetime.fromtimestamp(seconds, UTC).astimezone(_zone(zone))


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
