#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# check-names.sh - every name of ours that the documents and the comments of the public headers speak of
# (gr_NAME, and in docs/from-langchain.md GR_NAME) is one that a public header declares, and that page has
# every method and kind of LangChain's Runnable interface. A name is declared if it stands in a header
# outside of its comments.
#
# Last line: N passed, N failed, a document or a list each.
set -eu
cd "$(dirname "$0")/.."

. tests/_check.sh

# code FILE… prints headers without their comments.
code() {
    cat "$@" | awk '
        {
            line = $0
            out = ""
            while (line != "") {
                if (inside) {
                    end = index(line, "*/")
                    if (!end) break
                    line = substr(line, end + 2)
                    inside = 0
                } else if ((at = index(line, "/*")) > 0) {
                    out = out substr(line, 1, at - 1)
                    line = substr(line, at + 2)
                    inside = 1
                } else {
                    out = out line
                    break
                }
            }
            print out
        }'
}

# words PATTERN prints the whole words of the input that match.
words() { tr -c 'A-Za-z0-9_' '\n' | grep -x -E "$1" | sort -u || true; }

code include/greenroom/*.h include/greenroom/*.hpp >"$work/code"
words '(gr|GR)_[A-Za-z0-9_]+' <"$work/code" >"$work/declared"
# The documents tell of a few variables of the build, too.
cat CMakeLists.txt cmake/*.cmake tests/CMakeLists.txt | words 'gr_[a-z0-9_]+' >"$work/build"
sort -u "$work/declared" "$work/build" >"$work/known"

# known FILE PATTERN: no name in FILE that matches is unknown.
known() {
    words "$2" <"$1" | comm -23 - "$work/known" >"$work/unknown"
    while read -r one; do
        grep -n -w -e "$one" "$1" | sed "s|^\([0-9]*\):.*|$1:\1: no public header declares $one|"
    done <"$work/unknown"
    [ ! -s "$work/unknown" ]
}

for document in README.md $(find docs -name '*.md' -o -name '*.scd' | sort); do
    [ "$document" != docs/from-langchain.md ] || continue
    check "$document" known "$document" 'gr_[a-z0-9_]+'
done
check docs/from-langchain.md known docs/from-langchain.md '(gr|GR)_[A-Za-z0-9_]+'
for header in include/greenroom/*; do
    check "$header" known "$header" 'gr_[a-z0-9_]+'
done

# ---- what LangChain has ------------------------------------------------------------------------

# The first column of the page's tables, its spans in backticks one a line, without what is in parentheses.
sed -n 's/^| *\([^|]*\(\\|[^|]*\)*\)|.*/\1/p' docs/from-langchain.md | grep -o '`[^`]*`' |
    sed 's/`//g; s/(.*//; s/.*\.//' | sort -u >"$work/table"

# has NAME…: each has a row.
has() {
    for one in "$@"; do
        grep -q -x -F -e "$one" "$work/table" || echo "docs/from-langchain.md: no row for $one"
    done >"$work/missing"
    cat "$work/missing"
    [ ! -s "$work/missing" ]
}

check "every method of the Runnable interface has a row" has \
    invoke ainvoke batch abatch batch_as_completed abatch_as_completed stream astream transform atransform \
    astream_events astream_log bind with_config with_listeners with_alisteners with_retry with_fallbacks \
    with_types map pipe pick assign as_tool configurable_fields configurable_alternatives get_name get_graph \
    draw_mermaid get_input_jsonschema get_output_jsonschema config_schema config_specs
check "every kind of runnable has a row" has \
    RunnableSequence RunnableParallel RunnableMap RunnableLambda RunnableGenerator RunnablePassthrough \
    RunnableAssign RunnablePick RunnableBranch RouterRunnable RunnableEach RunnableBinding RunnableRetry \
    RunnableWithFallbacks RunnableWithMessageHistory RunnableConfigurableFields \
    RunnableConfigurableAlternatives
check "every key of a config has a row" has \
    tags metadata callbacks configurable max_concurrency recursion_limit run_name run_id
check "what calls back has a row" has \
    BaseCallbackHandler AsyncCallbackHandler dispatch_custom_event adispatch_custom_event \
    ConsoleCallbackHandler collect_runs
check "what makes tools and agents has a row" has \
    BaseTool StructuredTool Tool ToolException args_schema return_direct handle_tool_error handle_validation_error \
    InjectedToolArg InjectedToolCallId InjectedState convert_to_openai_tool bind_tools ToolNode create_agent \
    create_react_agent interrupt response_format add_messages RemoveMessage AgentMiddleware

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
