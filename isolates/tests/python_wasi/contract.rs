//! What a script gets and gives: the same as on native Python.

use crate::world::{World, at_each_strength, patient};
use serde_json::{Value, json};

at_each_strength! {
    async fn a_body_with_return_has_the_variables_as_local_names(world: World) {
        let variables = json!({ "xs": [1, 2, 3], "name": "ü" });
        let source = "xs.append(4)\nname = name + '!'\nreturn {'sum': sum(xs), 'name': name}";
        assert_eq!(world.run(source, variables).await, Ok(json!({ "sum": 10, "name": "ü!" })));
    }

    async fn a_main_gets_the_variables_it_has_parameters_for(world: World) {
        let variables = json!({ "a": 1, "b": 2, "c": 3 });
        let source = "def main(b, a, z=9):\n    return [a, b, z]";
        assert_eq!(world.run(source, variables.clone()).await, Ok(json!([1, 2, 9])));
        let source = "async def main(**all):\n    return sorted(all)";
        assert_eq!(world.run(source, variables).await, Ok(json!(["a", "b", "c"])));
        let error = world.wrong("def main(missing):\n    pass").await;
        assert!(error.message.contains("`main` wants `missing`"), "{error:?}");
    }

    async fn a_script_that_prints_gives_what_it_printed(world: World) {
        assert_eq!(world.good("print('{\"a\": 1}')").await, json!({ "a": 1 }));
        assert_eq!(world.good("print('hello')\nprint('you')").await, json!("hello\nyou"));
        assert_eq!(world.good("x = 1").await, Value::Null);
        assert_eq!(world.good("import sys\nprint(7)\nsys.exit()").await, json!(7));
    }

    async fn printed_text_is_kept_apart_from_the_result(world: World) {
        let source = "import sys\nprint('out')\nprint('err', file=sys.stderr)\nreturn 1";
        let verdict = world.verdict(source, Value::Null, patient()).await;
        assert_eq!((verdict.stdout.as_str(), verdict.stderr.as_str()), ("out\n", "err\n"));
        assert_eq!(verdict.result, Ok(json!(1)));
        assert!(verdict.memory_used > 1024 * 1024, "{}", verdict.memory_used);
    }

    async fn awaiting_works_at_the_top_too(world: World) {
        let source = "import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x\nreturn await asyncio.gather(f(1), f(2))";
        assert_eq!(world.good(source).await, json!([1, 2]));
    }

    async fn values_that_json_does_not_know_become_what_people_expect(world: World) {
        let source = "
import datetime, decimal, uuid, enum, dataclasses, collections
@dataclasses.dataclass
class Point:
    x: int
class Colour(enum.Enum):
    RED = 'red'
return {
    'day': datetime.date(2026, 11, 24), 'price': decimal.Decimal('1.10'), 'point': Point(1),
    'colour': Colour.RED, 'set': {1}, 'tuple': (1, 2), 'generator': (n for n in range(2)),
    'counter': collections.Counter('aab'), 'big': 12345678901234567890,
}";
        let wanted = json!({
            "day": "2026-11-24", "price": "1.10", "point": { "x": 1 }, "colour": "red", "set": [1],
            "tuple": [1, 2], "generator": [0, 1], "counter": { "a": 2, "b": 1 },
            "big": 12_345_678_901_234_567_890_u64,
        });
        assert_eq!(world.good(source).await, wanted);
        for source in ["return b'x'", "return object()", "return float('nan')", "return lambda: 1"] {
            assert_eq!(world.wrong(source).await.code, "script_error", "{source}");
        }
        let error = world.wrong("return b'x'").await;
        assert!(error.message.contains("base64"), "{error:?}");
    }

    async fn an_error_names_the_line_of_the_author(world: World) {
        let error = world.wrong("x = 1\ndef f(n):\n    return 1 / n\nreturn f(0)").await;
        assert_eq!((error.code.as_ref(), error.line), ("script_error", Some(3)));
        assert_eq!(error.message, "ZeroDivisionError: division by zero");
        assert_eq!(
            error.traceback.as_deref(),
            Some("at f (script:3): return 1 / n\nat <script> (script:4): return f(0)")
        );
        let error = world.wrong("x = 1\ny = = 2\n").await;
        assert_eq!((error.code.as_ref(), error.line), ("script_syntax", Some(2)));
        let error = world.wrong("def f(:\n  pass").await;
        assert_eq!((error.code.as_ref(), error.line), ("script_syntax", Some(1)));
        let error = world.wrong("raise ValueError('no\\nmore')").await;
        assert_eq!(error.message, "ValueError: no\nmore");
        let error = world.wrong("import sys\nsys.exit(3)").await;
        assert_eq!(error.message, "the script exited with 3");
        let error = world.wrong("import numpy_is_not_here").await;
        assert!(error.hint.unwrap().contains("runtime: wasi"));
    }

    async fn names_that_python_cannot_use_are_refused(world: World) {
        for name in ["class", "a-b", "1a", ""] {
            let error = world.run("return 1", json!({ name: 1 })).await.unwrap_err();
            assert!(error.message.contains("cannot be the name"), "{error:?}");
        }
    }

    async fn the_usual_modules_work(world: World) {
        let source = "
import csv, hashlib, io, json, math, random, re, secrets, statistics, time, zoneinfo, zlib, uuid
import xml.etree.ElementTree, html.parser, sqlite3, tomllib, string, struct, datetime, decimal
import threading, concurrent.futures, urllib.parse, ipaddress, textwrap, pprint, fractions, graphlib
zone = datetime.datetime(2026, 7, 1, tzinfo=zoneinfo.ZoneInfo('Europe/Berlin')).utcoffset().total_seconds()
database = sqlite3.connect(':memory:')
digest = hashlib.sha256(b'x').hexdigest()[:8]
tree = xml.etree.ElementTree.fromstring('<a><b>1</b></a>').find('b').text
return [re.sub('a', 'b', 'aa'), zone, database.execute('select 1').fetchone(), digest, tree,
        zlib.decompress(zlib.compress(b'ab')).decode(), str(decimal.Decimal('1.1') * 3), 2020 < datetime.date.today().year]";
        let wanted = json!(["bb", 7200.0, [1], "2d711642", "1", "ab", "3.3", true]);
        assert_eq!(world.good(source).await, wanted);
        let error = world.wrong("import threading\nthreading.Thread(target=print).start()").await;
        assert_eq!(error.message, "RuntimeError: can't start new thread");
    }

    async fn loops_of_events_wait_for_time_and_for_each_other(world: World) {
        let source = "
import asyncio
async def put(queue):
    await asyncio.sleep(0.01)
    await queue.put('here')
queue = asyncio.Queue()
task = asyncio.create_task(put(queue))
found = await queue.get()
await task
async with asyncio.timeout(5):
    return found";
        assert_eq!(world.good(source).await, json!("here"));
        let source = "import asyncio\nasync def f():\n    return 1\nreturn asyncio.run(f())";
        assert_eq!(world.good(source).await, json!(1));
        let error = world.wrong("import asyncio\nawait asyncio.Event().wait()").await;
        assert!(error.message.contains("never happens"), "{error:?}");
    }

    async fn two_runs_do_not_share_random_numbers_or_modules(world: World) {
        let first = world.good("import builtins, json, random\nbuiltins.marker = 1\njson.marker = 1\nreturn random.random()").await;
        let source = "import builtins, json, random\nreturn [hasattr(builtins, 'marker'), hasattr(json, 'marker'), random.random()]";
        let second = world.good(source).await;
        assert_eq!((&second[0], &second[1]), (&json!(false), &json!(false)));
        assert_ne!(first, second[2]);
    }

    async fn many_at_once_do_not_mix(world: World) {
        let runs = (0..40).map(|n| {
            let world = &world;
            async move { (n, world.run("return n * 2", json!({ "n": n })).await) }
        });
        for (n, result) in futures_util::future::join_all(runs).await {
            assert_eq!(result, Ok(json!(n * 2)));
        }
    }

    async fn large_data_goes_in_and_out(world: World) {
        let text = "ü".repeat(1_000_000);
        let result = world.run("return text * 2", json!({ "text": text })).await.unwrap();
        assert_eq!(result.as_str().unwrap().len(), 4_000_000);
    }
}
