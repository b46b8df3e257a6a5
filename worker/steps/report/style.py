"""The report's style sheet."""

STYLE = """
:root{--ink:#1c2430;--soft:#5c6775;--line:#dde2e8;--paper:#fff;--shade:#f5f7f9;--bar:#9fb3c8;--win:#0b7a53;--bad:#b3261e}
@media (prefers-color-scheme:dark){:root{--ink:#e6eaef;--soft:#9aa6b4;--line:#323b46;--paper:#14181d;--shade:#1c2229;
--bar:#56697d;--win:#4cc38a;--bad:#ff8a80}}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1240px;margin:0 auto;padding:32px 24px 64px}
h1{font-size:22px;margin:0 0 12px;overflow-wrap:anywhere}h2{font-size:16px;margin:36px 0 10px}
.verdict{border-left:4px solid var(--win);background:var(--shade);padding:12px 16px;margin:0 0 18px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 18px;margin:0}dt{color:var(--soft)}dd{margin:0}
.note{color:var(--soft);font-size:13px;margin:8px 0 0}.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:6px 12px 6px 0;border-bottom:1px solid var(--line);vertical-align:top;white-space:nowrap}
thead th{color:var(--soft);font-weight:600}
tbody th{font-weight:600;white-space:normal;min-width:96px;max-width:200px;overflow-wrap:anywhere}
.said{white-space:normal;min-width:220px;overflow-wrap:anywhere}
tr.win th,tr.win td:first-of-type{color:var(--win)}tr.bad th,tr.bad td{color:var(--bad);white-space:normal}
details{border-bottom:1px solid var(--line);padding:6px 0}summary{cursor:pointer}details table{margin:8px 0 8px 18px}
svg{max-width:100%;min-width:680px;height:auto;font:13px system-ui,sans-serif}svg text{fill:var(--ink)}
.label{text-anchor:end}.tick{text-anchor:middle;font-size:12px}svg .tick,svg .num{fill:var(--soft)}
.span{stroke:var(--bar);stroke-width:4;stroke-linecap:round}.dot{fill:var(--bar)}.bar{fill:var(--bar)}
.span.win{stroke:var(--win)}.dot.win,.bar.win{fill:var(--win)}svg text.win{fill:var(--win);font-weight:600}
.bar.bad{fill:var(--bad)}svg text.bad{fill:var(--bad)}
.grid{stroke:var(--line)}.ref{stroke:var(--soft);stroke-dasharray:4 4}
""".replace("\n", "")
