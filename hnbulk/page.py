"""One page that stands alone: no script, no request to anywhere, readable on light, dark and paper.

It holds what it is given, which is HTML already; this module escapes nothing but the title.
"""

from __future__ import annotations

import html
from collections.abc import Iterable

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def page(title: str, byline: str, sections: Iterable[str]) -> str:
    """A whole HTML document; `title` is text, `byline` and `sections` are HTML already."""
    head = html.escape(title)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">'
        f"<title>{head}</title><style>{_STYLE}</style></head>\n<body><main>"
        f"<header><h1>{head}</h1><p>{byline}</p></header>\n"
        + "\n".join(section for section in sections if section)
        + "\n</main></body></html>\n"
    )


_STYLE = """
:root{--ink:#1f2733;--soft:#5b6675;--line:#dfe4ea;--page:#f5f7f9;--card:#fff;--accent:#145fbf}
@media (prefers-color-scheme:dark){
 :root{--ink:#e6eaf0;--soft:#a3afbf;--line:#36404d;--page:#12161c;--card:#1b222b;--accent:#9cd0fb}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,-apple-system,'Segoe UI',
 Roboto,Arial,sans-serif}
main{max-width:1040px;margin:0 auto;padding:1.5rem 1rem 3rem}
h1{font-size:1.7rem;line-height:1.2;margin:.5rem 0 .2rem}h2{font-size:1.15rem;margin:0 0 .8rem}
header p,.caption{color:var(--soft);margin:0}.caption{font-size:.85rem;margin-top:.5rem}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:1.2rem;
 margin-top:1.1rem}
.story h2{margin-top:1.2rem}.headline{font-size:1.5rem;line-height:1.25;margin:0 0 .9rem}
.headline strong{color:var(--accent);font-size:2.1rem}
.stripe{display:flex;height:1.4rem;border-radius:5px;overflow:hidden;background:#e6eaef}
.stripe i{display:block;min-width:2px;border-right:1px solid #fff}.stripe i:last-child{border:0}
.keys{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;margin:.6rem 0;padding:0;
 font-size:.88rem}
.keys b{display:inline-block;width:.75rem;height:.75rem;border-radius:2px;margin-right:.4rem;
 border:1px solid #fff}
.todo{margin:0;padding-left:1.2rem}.todo li{margin:.2rem 0}
.chart{margin:.8rem 0 1rem;overflow-x:auto;background:#fff;border-radius:8px}
.chart svg{display:block;width:100%;min-width:620px;height:auto;max-width:900px;margin:0 auto}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.92rem;font-variant-numeric:tabular-nums}
th,td{padding:.4rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:600;border-bottom:2px solid var(--line);vertical-align:bottom}
.gt_left{text-align:left}td.gt_right{white-space:nowrap}.gt_right{text-align:right}
td:first-child,.times td,.stuck td{white-space:nowrap}
.times th,.times td{padding:.4rem .4rem}.times table{font-size:.86rem}
.times th:last-child,.times td:last-child{padding-right:.8rem}
h1,h2,p,li{overflow-wrap:anywhere}h2~.caption{margin-top:0}.scroll+.caption{margin-top:.5rem}
@media (max-width:560px){section{padding:.9rem}.headline{font-size:1.25rem}
 .problems td:last-child,.plan td:last-child{min-width:13rem}
 .why td:nth-child(2),.why td:last-child{min-width:13rem}}
@media print{:root{--ink:#000;--soft:#444;--line:#bbb;--page:#fff;--card:#fff;--accent:#000}
 body{font-size:11pt;print-color-adjust:exact;-webkit-print-color-adjust:exact}
 main{max-width:none;padding:0}section{border:0;padding:0;break-inside:auto}
 figure,tr,.stripe{break-inside:avoid}h2{break-after:avoid}.chart svg{min-width:0}
 .chart,.scroll{overflow:visible}}
""".strip()
