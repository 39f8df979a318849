//! The one table of all keys: every action of the dashboard with the context it belongs to, its
//! name in the configuration, its default keys, its word for the hint line and its sentence for the
//! help.
//!
//! What an action does is not said here. Invariant: within a context a name and a key appear once,
//! and a name once published stays; tests hold the first.

use super::{
    action::Action,
    command::{Command, commands},
};

commands! {
    /// The list of runners.
    List "list" {
        Approve "approve" "y" "approve" "Answer the selected agent's question with yes";
        Deny "deny" "n" "deny" "Answer it with no";
        Choose "choose" "1 2 3 4 5 6 7 8 9" "choose" "Answer it with this choice: the first key stands for the first, and so on";
        NextNeeding "next_needing" "tab" "next that needs you" "Go to the next that needs you, longest waiting first";
        ResumeLost "resume_lost" "L" "resume all lost" "Resume all runners that were lost, as after a reboot, each in its conversation if it had one";
        Open "open" "enter" "open" "Open the runner here, full size; keys go to its agent";
        Line "reply" "r t" "reply" "Reply to the agent: write a line and submit it";
        Type "type" "i" "type" "Type into the agent without leaving the list";
        SplitRight "split_right" "v" "split" "Open the runner in a pane beside the others";
        Launch "launch" "N" "new" "Launch a new agent";
        Quotas "quotas" "Q" "quotas" "Limit the project: runners, memory, cpu, tokens";
        Stop "stop" "x" "stop" "Stop the runner, with time to save";
        Pause "pause" "space" "pause" "Pause the runner or let it go on";
        Continue "resume" "C" "resume" "Start the runner again in its conversation";
        Restart "restart" "R" "restart" "Start the runner again";
        Remove "remove" "d" "remove" "Remove the runner, which has ended, with what it wrote";
        ShowPanes "panes" "w" "panes" "Show the panes that were opened";
        Attach "attach" "a" "attach" "Attach: hand the whole terminal to the agent";
        Palette "palette" ":" "palette" "Find anything: actions, runners, projects, conversations";
        Filter "filter" "/" "filter" "Show only runners that match: words, is:blocked, project:x, agent:x";
        Help "help" "?" "help" "Show the keys that work here, and all others";
        Quit "quit" "q ctrl-c" "quit" "Leave; the agents go on";
        Kill "kill" "X" "" "Kill the runner at once";
        SplitBelow "split_below" "s" "" "Open the runner in a pane below the others";
        Grid "grid" "#" "" "Show all live runners of this project in a grid";
        Arrange "arrange" "p" "by project" "Arrange by state or by project";
        Events "events" "e" "" "More room for the events, none, some";
        GoToNotice "go_to_notice" "o" "" "Go to the runner of the newest note; esc clears the notes";
        ShowEvents "show_events" "E" "events" "Show all events: filter, follow, look at one whole";
        ShowLog "show_log" "l" "log" "Show the logs: what the runner has written, and follow it";
        ShowChanges "show_changes" "c" "changes" "Show what the runner has changed since its launch: files, commits, the difference";
        ShowEvidence "show_evidence" "I" "why" "Show why the state is what it is: what every source said last";
        Correct "correct" "!" "wrong state" "Say that the state is wrong and what it really is; its screen is learnt from";
        ShowSettings "show_settings" "," "settings" "Show what is configured, and where";
        ShowHealth "show_health" "H" "health" "Show how the daemon, its parts and the supervisors are";
        ShowUsage "show_usage" "U" "usage" "Show what agents used and what it cost, with a plot";
        ShowBudgets "show_budgets" "B" "budgets" "Show and set budgets: how much may be used";
        ShowInbox "show_inbox" "A" "inbox" "Show what waits for you: answer it, put it off, put it away";
        ShowSessions "show_sessions" "S" "sessions" "Show the agents' conversations";
        SearchAll "search_sessions" "" "" "Search what was said in all conversations";
        Fold "fold" "f" "" "Show or fold what is finished";
        Undo "undo" "u" "" "Take back the last stop or deletion, as far as that is possible";
        StopAll "stop_all" "alt-x" "" "Stop all listed runners that live: with a filter, those that match";
        KillAll "kill_all" "" "" "Kill all listed runners that live, at once";
        RestartAll "restart_all" "" "" "Restart all listed runners that live";
        RemoveEnded "remove_ended" "alt-d" "" "Remove all listed runners that have ended, with what they wrote";
        Forget "delete_project" "D" "" "Delete the runner's project with all its runners that have ended";
        Down "down" "j down ctrl-n" "" "Select the next runner";
        Up "up" "k up" "" "Select the runner before";
        PageDown "page_down" "pgdn ctrl-d" "" "Go a screenful down";
        PageUp "page_up" "pgup ctrl-u" "" "Go a screenful up";
        First "first" "g home" "" "Select the first runner";
        Last "last" "G end" "" "Select the last runner";
        Cancel "cancel" "esc" "" "Clear the notes, then the filter";
    }
    /// Among the panes, while no agent is typed into.
    Panes "panes" {
        Type "type" "enter i" "type" "Type into the agent of this pane";
        Cancel "dashboard" "esc q ctrl-c" "dashboard" "Go back to the dashboard; the panes are kept";
        FocusLeft "left" "h left" "move" "Go to the pane on the left";
        NextNeeding "next_needing" "n" "next that needs you" "Go to the next that needs you, in its pane or in place";
        SplitRight "split_right" "v" "split" "Open another runner beside this pane";
        ClosePane "close" "c" "close" "Close this pane; its agent goes on";
        Zoom "zoom" "z" "zoom" "Show this pane only, or all again";
        PaneByNumber "number" "1 2 3 4 5 6 7 8 9" "go" "Go to the pane with this number and type there";
        Scrollback "history" "[ pgup" "history" "Scroll, search and copy what the runner showed before";
        Synchronise "synchronise" "S" "all at once" "Type into all panes at once, or into one again";
        Undo "undo" "u" "undo" "Bring back the arrangement before the last change";
        Palette "palette" ":" "" "Find anything: actions, runners, projects, conversations";
        Help "help" "?" "help" "Show the keys that work here, and all others";
        Search "search" "/" "" "Search what the runner showed before";
        Launch "launch" "N" "" "Launch a new agent in a pane beside this one";
        FocusDown "down" "j down" "" "Go to the pane below";
        FocusUp "up" "k up" "" "Go to the pane above";
        FocusRight "right" "l right" "" "Go to the pane on the right";
        NextPane "next" "tab" "" "Go to the next pane";
        PreviousPane "previous" "shift-tab" "" "Go to the pane before";
        SplitBelow "split_below" "s" "" "Open another runner below this pane";
        Grid "grid" "#" "" "Show all live runners of this project in a grid";
        GrowLeft "grow_left" "H shift-left" "" "Move the divider to the left";
        GrowDown "grow_down" "J shift-down" "" "Move the divider down";
        GrowUp "grow_up" "K shift-up" "" "Move the divider up";
        GrowRight "grow_right" "L shift-right" "" "Move the divider to the right";
        Balance "balance" "=" "" "Give all panes the same room";
        Turn "turn" "o" "" "Stack what lies side by side, and back";
        SwapPrevious "swap_previous" "{" "" "Change places with the pane before";
        SwapNext "swap_next" "}" "" "Change places with the next pane";
        Attach "attach" "a" "" "Attach: hand the whole terminal to the agent";
        Line "reply" "r t" "" "Reply to the agent: write a line and submit it";
        Pause "pause" "space" "" "Pause the runner or let it go on";
        Restart "restart" "R" "restart" "Start the runner again";
        Stop "stop" "x" "" "Stop the runner, with time to save";
        Kill "kill" "X" "" "Kill the runner at once";
    }
    /// In a pane, while its agent is typed into.
    Typing "typing" {
        FocusLeft "left" "alt-shift-left" "" "Go to the pane on the left and type there";
        FocusDown "down" "alt-shift-down" "" "Go to the pane below and type there";
        FocusUp "up" "alt-shift-up" "" "Go to the pane above and type there";
        FocusRight "right" "alt-shift-right" "" "Go to the pane on the right and type there";
        PageUp "page_up" "shift-pgup" "" "Scroll back a screenful; the next key goes to the agent again";
        PageDown "page_down" "shift-pgdn" "" "Scroll forward a screenful";
        Scrollback "history" "alt-pgup" "" "Scroll, search and copy by keys what the runner showed before";
    }
    /// What a runner showed before.
    History "history" {
        Search "search" "/" "search" "Search for a text";
        Older "older" "n" "older match" "Go to the next match, upwards";
        Newer "newer" "N" "newer" "Go to the next match, downwards";
        Select "select" "v space" "select" "Begin to select, or stop it";
        SelectLines "select_lines" "V" "lines" "Begin to select whole lines, or stop it";
        Copy "copy" "y enter" "copy" "Copy what is selected, or the line, and go back";
        Cancel "back" "esc q ctrl-c" "back" "Show the present again; a selection is taken back first";
        Help "help" "?" "help" "Show the keys that work here, and all others";
        Down "down" "j down" "" "A line down";
        Up "up" "k up" "" "A line up";
        HalfPageDown "half_page_down" "ctrl-d" "" "Half a screenful down";
        HalfPageUp "half_page_up" "ctrl-u" "" "Half a screenful up";
        PageDown "page_down" "pgdn ctrl-f" "" "A screenful down";
        PageUp "page_up" "pgup ctrl-b" "" "A screenful up";
        First "first" "g home" "" "To the oldest line";
        Last "last" "G end" "" "To the newest line";
        Left "left" "h left" "" "A column to the left";
        Right "right" "l right" "" "A column to the right";
        LineStart "line_start" "0" "" "To the first column";
        LineEnd "line_end" "$" "" "To the last column that shows something";
        NextWord "next_word" "w" "" "To the next word";
        PreviousWord "previous_word" "b" "" "To the word before";
    }
    /// A text to search for.
    Search "search" {
        Accept "search" "enter" "search" "Search for the text: in a history upwards from here, or in all conversations";
        Cancel "cancel" "esc ctrl-c" "back" "Go back; nothing is searched for";
    }
    /// The runners for a new pane.
    Pick "pick" {
        Accept "open" "enter" "open" "Open a pane for this runner";
        Down "down" "j down" "next" "Choose the next runner";
        Up "up" "k up" "" "Choose the runner before";
        Cancel "cancel" "esc q ctrl-c" "back" "Go back; nothing is opened";
    }
    /// The first screen, without runners.
    Welcome "welcome" {
        LaunchFound "launch_found" "enter" "launch" "Launch the agent that was found, or the shell, here";
        LaunchShell "launch_shell" "s" "shell" "Launch a shell here";
        Launch "launch" "c n N" "choose" "Choose a command and a directory";
        Demo "demo" "d" "demo" "How to see a demonstration";
        Palette "palette" ":" "" "Find anything: actions, projects";
        Help "help" "?" "help" "Show the keys that work here, and all others";
        Quit "quit" "q ctrl-c" "quit" "Leave";
    }
    /// The filter.
    Filter "filter" {
        Accept "keep" "enter" "keep" "Keep the filter and go back to the list";
        Cancel "cancel" "esc ctrl-c" "show all" "Show all runners again";
        Down "down" "down" "" "Select the next runner";
        Up "up" "up" "" "Select the runner before";
    }
    /// A question.
    Confirm "confirm" {
        Accept "yes" "y Y" "yes" "Do it";
        Cancel "no" "n N esc q ctrl-c" "no, keep it" "Leave everything as it is";
    }
    /// The launch dialog.
    Launch "launch" {
        Accept "launch" "enter" "launch" "Launch what is filled in";
        NextField "next_field" "tab" "next field" "Go to the next field";
        PreviousField "previous_field" "shift-tab" "" "Go to the field before";
        NextChoice "next_choice" "down" "suggestions" "Fill in the next suggestion";
        PreviousChoice "previous_choice" "up" "" "Fill in the suggestion before";
        KeepPreset "keep_preset" "ctrl-s" "keep as preset" "Keep what is filled in as the preset of this name";
        Cancel "cancel" "esc ctrl-c" "back" "Go back; nothing is launched";
    }
    /// The dialog of quotas.
    Quotas "quotas" {
        Accept "set" "enter" "set" "Set the limits that were changed";
        NextField "next_field" "tab" "next field" "Go to the next field";
        PreviousField "previous_field" "shift-tab" "" "Go to the field before";
        NextChoice "next_project" "down" "next project" "Show the limits of the next project";
        PreviousChoice "previous_project" "up" "" "Show the limits of the project before";
        Cancel "cancel" "esc ctrl-c" "back" "Go back; nothing is changed";
    }
    /// The dialog of a budget.
    Budget "budget" {
        Accept "set" "enter" "set" "Set the budget";
        NextField "next_field" "tab" "next field" "Go to the next field";
        PreviousField "previous_field" "shift-tab" "" "Go to the field before";
        NextChoice "next_choice" "down" "suggestions" "Fill in the next suggestion";
        PreviousChoice "previous_choice" "up" "" "Fill in the suggestion before";
        Cancel "cancel" "esc ctrl-c" "back" "Go back; nothing is set";
    }
    /// The dialog of a state that is wrong.
    Correct "correct" {
        Accept "accept" "enter" "go on" "Draft a rule from the screen, then teach it";
        Choose "choose" "1 2 3 4 5 6 7 8" "choose" "Choose the state, or the line that tells it";
        Down "down" "j down" "next" "Go to the next";
        Up "up" "k up" "" "Go to the one before";
        Cancel "cancel" "esc q ctrl-c" "back" "Go back; nothing is learnt";
    }
    /// A line for an agent.
    Line "line" {
        Accept "send" "enter" "send" "Submit the line to the agent";
        Cancel "cancel" "esc ctrl-c" "back" "Go back; nothing is sent";
    }
    /// The list of keys.
    Help "help" {
        Cancel "close" "esc ? q enter ctrl-c" "back" "Go back";
        Down "down" "j down" "more" "Scroll down";
        Up "up" "k up" "" "Scroll up";
        PageDown "page_down" "pgdn space ctrl-d" "" "Go a screenful down";
        PageUp "page_up" "pgup ctrl-u" "" "Go a screenful up";
        First "first" "g home" "" "Go to the first key";
        Last "last" "G end" "" "Go to the last key";
    }
    /// The views that are lines to read.
    Page "page" {
        Cancel "back" "esc q ctrl-c" "back" "Go back: to all lines, then to the dashboard";
        NextMatch "next_match" "n" "next" "Go to the next line with what was searched for, downwards";
        PreviousMatch "previous_match" "N" "before" "Go to the line with it before, upwards";
        NextBy "next_by" "tab" "by another" "Usage: sums by runner, session, model, agent, day, project";
        Range "range" "t" "30 days" "Usage: the last 24 hours or 30 days";
        SearchAll "search_sessions" "s" "search all" "Sessions: search what was said in all conversations";
        ReadSession "read_session" "l" "read" "Sessions: read what was said in the conversation";
        ResumeSession "resume_session" "r" "resume" "Sessions: go on with the conversation, in its runner or a new one";
        Correct "correct" "!" "it is wrong" "Evidence: say what the state really is; the screen is learnt from";
        AddBudget "add_budget" "a" "add" "Budgets: set a new one";
        Filter "search" "/" "search" "Search a log or a conversation for a text; elsewhere show only lines with some words";
        Narrow "filter" "&" "filter" "Show only lines with some words, in a log, too";
        Follow "follow" "f" "follow" "Follow the end, or stay here";
        Inspect "inspect" "enter" "whole" "Show the line with nothing cut off; an event as JSON; change a budget; read what was found";
        PreviousBy "previous_by" "shift-tab" "" "Usage: sums by what came before";
        OneProject "one_project" "p" "one project" "Usage, sessions: those of the selected runner's project, or all";
        Restart "reset_budget" "R" "reset" "Budgets: let it begin anew, with nothing used";
        Remove "remove_budget" "d" "remove" "Budgets: remove it";
        Down "down" "j down ctrl-n" "" "Go a line down";
        Up "up" "k up" "" "Go a line up";
        PageDown "page_down" "pgdn space ctrl-d" "" "Go a screenful down";
        PageUp "page_up" "pgup ctrl-u" "" "Go a screenful up";
        First "first" "g home" "" "Go to the first line";
        Last "last" "G end" "" "Go to the last line, and follow";
        ShowEvents "show_events" "E" "events" "Show all events";
        ShowSettings "show_settings" "," "settings" "Show what is configured";
        ShowHealth "show_health" "H" "health" "Show how everything is";
        ShowUsage "show_usage" "U" "usage" "Show what agents used and what it cost";
        ShowBudgets "show_budgets" "B" "budgets" "Show and set budgets";
        ShowInbox "show_inbox" "A" "inbox" "Show what waits for you: answer it, put it off, put it away";
        ShowSessions "show_sessions" "S" "sessions" "Show the agents' conversations";
        GoToNotice "go_to_notice" "o" "" "Go to the runner of the newest note";
        Help "help" "?" "help" "Show the keys that work here, and all others";
    }
    /// The attention inbox.
    Inbox "inbox" {
        Approve "approve" "y" "approve" "Answer the question with yes, this once";
        Deny "deny" "n" "deny" "Answer it with no";
        Choose "choose" "1 2 3 4 5 6 7 8 9" "choose" "Answer it with this choice: the first key stands for the first, and so on";
        Open "open" "o" "open" "Open the runner here, full size";
        Line "reply" "r t" "reply" "Reply to the agent: write a line and submit it";
        Snooze "snooze" "z" "later" "Put it off for an hour";
        Remove "dismiss" "d" "put away" "Put it away; what the agent waits with stays as it is";
        Inspect "inspect" "enter" "whole" "Show the item with the last lines of its screen";
        Cancel "back" "esc q ctrl-c" "back" "Go back: to all items, then to the dashboard";
        Attach "attach" "a" "" "Attach: hand the whole terminal to the agent";
        Filter "filter" "/" "filter" "Show only items with some words";
        Down "down" "j down ctrl-n" "" "Go a line down";
        Up "up" "k up" "" "Go a line up";
        PageDown "page_down" "pgdn space ctrl-d" "" "Go a screenful down";
        PageUp "page_up" "pgup ctrl-u" "" "Go a screenful up";
        First "first" "g home" "" "Go to the first line";
        Last "last" "G end" "" "Go to the last line";
        ShowEvents "show_events" "E" "events" "Show all events";
        ShowUsage "show_usage" "U" "" "Show what agents used and what it cost";
        ShowBudgets "show_budgets" "B" "" "Show and set budgets";
        ShowSessions "show_sessions" "S" "" "Show the agents' conversations";
        Help "help" "?" "help" "Show the keys that work here, and all others";
    }
    /// The palette.
    Palette "palette" {
        Accept "choose" "enter" "choose" "Go there, or do it";
        Cancel "cancel" "esc ctrl-c" "back" "Go back";
        Down "down" "down ctrl-n tab" "next" "Go to the next";
        Up "up" "up shift-tab" "" "Go to the one before";
        PageDown "page_down" "pgdn" "" "Go ten further";
        PageUp "page_up" "pgup" "" "Go ten back";
    }
    /// The list of themes.
    Themes "themes" {
        Accept "choose" "enter" "keep it" "Keep the theme";
        Cancel "cancel" "esc q ctrl-c" "as it was" "Go back to the theme as it was";
        Down "down" "j down" "next" "Show the next theme";
        Up "up" "k up" "" "Show the theme before";
        First "first" "g home" "" "Show the first theme";
        Last "last" "G end" "" "Show the last theme";
    }
    /// Everywhere but in an agent; what a context says of the same key goes first.
    Global "global" {
        Palette "palette" "ctrl-p" "" "Find anything: actions, runners, projects, conversations";
        Runners "runners" "ctrl-o" "" "Go to a runner by a few letters of its name";
        Themes "themes" "ctrl-t" "" "Choose a theme";
        Dump "dump" "" "" "Write what happened last into a file, to report a mistake";
        Redraw "redraw" "ctrl-l" "" "Paint the screen anew";
        Suspend "suspend" "ctrl-z" "" "Go to the shell; fg comes back";
    }
}
