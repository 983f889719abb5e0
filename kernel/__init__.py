"""The mind: types, wire, engine, grammar, policy, dispatch, context, session. Knows no tool and no face."""
